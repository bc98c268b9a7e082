"""Threads that want the same model wait for their turn, first come first served."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from smolpc.errors import UsageError

LOOK = 0.1  # seconds between two looks at whether a waiting caller gave up
PATIENCE = 10.0  # seconds that a thread waits for an answer which it itself went on with last


class Turns:
    """A lock that is fair, that a caller can stop waiting for, and that finds a deadlock.

    Unlike a `threading.Lock` it may be released from another thread: a stream that nobody
    reads any more is closed by whichever thread drops it. It may also go on in another thread:
    web frameworks hand each step of a stream to a thread that is free.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._waiting: deque[object] = deque()
        self._owner: threading.Thread | None = None  # of the last step

    def take(self, gave_up: Callable[[], bool]) -> bool:
        """Wait for the turn; False when `gave_up` became true before it came.

        Raises UsageError when the answer that has the turn went on in this thread last, and no
        other thread goes on with it soon: this one would wait for itself.
        """
        me, start = threading.current_thread(), time.monotonic()
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._owner is not None or self._waiting[0] is not ticket:
                    if gave_up():
                        return False
                    if self._owner is me and time.monotonic() - start > PATIENCE:
                        raise UsageError(
                            "this thread has an unfinished answer of the same model",
                            why="a model answers one prompt at a time, and for"
                            f" {PATIENCE:.0f} seconds nobody went on with that answer",
                            next_step="read the first stream to its end, or close() it",
                        )
                    self._changed.wait(LOOK)
                self._owner = me
                return True
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def step(self) -> None:
        """Whoever has the turn goes on, in this thread."""
        self._owner = threading.current_thread()

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return len(self._waiting)

    def give(self) -> None:
        """Let the next one have its turn."""
        with self._changed:
            self._owner = None
            self._changed.notify_all()
