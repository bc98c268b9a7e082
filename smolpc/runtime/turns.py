"""Threads that want the same model wait for their turn, first come first served."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from smolpc.errors import UsageError

LOOK = 0.1  # seconds between two looks at whether a waiting caller gave up


class Turns:
    """A lock that is fair, that a caller can stop waiting for, and that finds a deadlock.

    Unlike a `threading.Lock` it may be released from another thread: a stream that nobody
    reads any more is closed by whichever thread drops it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._waiting: deque[object] = deque()
        self._owner: int | None = None

    def take(self, gave_up: Callable[[], bool]) -> bool:
        """Wait for the turn; False when `gave_up` became true before it came.

        Raises UsageError when this thread itself has the turn: it would wait for ever.
        """
        me = threading.get_ident()
        ticket = object()
        with self._changed:
            if self._owner == me:
                raise UsageError(
                    "this thread has an unfinished answer of the same model",
                    why="a model answers one prompt at a time, so this one would wait for ever",
                    next_step="read the first stream to its end, or close() it",
                )
            self._waiting.append(ticket)
            try:
                while self._owner is not None or self._waiting[0] is not ticket:
                    if gave_up():
                        return False
                    self._changed.wait(LOOK)
                self._owner = me
                return True
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return len(self._waiting)

    def give(self) -> None:
        """Let the next one have its turn."""
        with self._changed:
            self._owner = None
            self._changed.notify_all()
