"""Fewer threads while other programs keep the processor busy.

The engine's threads wait for each other after every operation, by spinning. When one of them
loses its core to another program, all the others burn theirs: two threads on two cores, of
which something else takes one, are many times slower than one thread. Seen from inside: spinning
or computing, n threads take n seconds of processor time a second. What is missing was lost to
others, and that many threads fewer are the right number.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from smolpc.schema.running import RunSettings

WINDOW = 0.2  # seconds of the engine's work that one look takes; less sees single time slices
LOST = 0.3  # cores; a look that lost more takes fewer threads
RETRY = (0.5, 8.0)  # seconds of work until one thread more is tried, at first and at most


class Pace:
    """Tells `use` how many of `threads` threads are worth it.

    `spent` gives the processor time of this process in seconds. What else the process does
    meanwhile only makes it look less busy than it is.
    """

    def __init__(
        self,
        threads: int,
        use: Callable[[int], None],
        *,
        spent: Callable[[], float] = time.process_time,
    ) -> None:
        self.most = self.now = threads
        self._use, self._spent = use, spent
        self._retry = RETRY[0]
        self._since = 0.0  # seconds of work since the number of threads was changed
        self._trying = False
        self.begin()

    def begin(self) -> None:
        """A new stretch of work: what was before it does not count."""
        self._passed = self._could = 0.0  # seconds by the clock, and of all threads together
        self._widest, self._start = 0, self._spent()

    def worked(self, seconds: float, threads: int) -> None:
        """The engine worked so long, by the clock, and could have used so many `threads`: change
        their number if it pays."""
        using = min(self.now, threads)
        self._widest = max(self._widest, using)
        self._passed += seconds
        self._could += seconds * using
        if self._passed < WINDOW or self.most == 1:
            return
        lost = (self._could - self._spent() + self._start) / self._passed
        worth = self._widest - lost
        self._since += self._passed
        self.begin()
        if lost > LOST:
            self._fewer(worth)
        elif self._trying:  # one thread more was no loss
            self._trying, self._retry, self._since = False, RETRY[0], 0.0
        elif self.now < self.most and self._since >= self._retry:
            self._trying = True
            self._set(self.now + 1)

    def _fewer(self, worth: float) -> None:
        if self._trying:
            self._trying, self._retry = False, min(self._retry * 2, RETRY[1])
        if self.now > 1:
            self._set(max(1, min(self.now - 1, int(worth + LOST))))

    def _set(self, threads: int) -> None:
        self.now, self._since = threads, 0.0
        self._use(threads)


def pace_for(llama: Any, context: Any, settings: RunSettings) -> Pace:
    """The pace of one context; where a GPU computes, the processor waits, and nothing changes."""
    answering, reading = settings.threads, settings.batch_threads or settings.threads

    def use(count: int) -> None:
        llama.llama_set_n_threads(context, min(count, answering), min(count, reading))

    return Pace(1 if settings.memory.gpu_layers else max(answering, reading), use)
