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

WINDOW = 0.1  # seconds that one look takes; a shorter one sees single time slices
LOST = 0.3  # cores; a look that lost more takes fewer threads
RETRY = (0.5, 8.0)  # seconds until one thread more is tried again, at first and at most


class Pace:
    """Tells `use` how many of `threads` threads are worth it. Call `look` now and then."""

    def __init__(
        self,
        threads: int,
        use: Callable[[int], None],
        *,
        wall: Callable[[], float] = time.perf_counter,
        spent: Callable[[], float] = time.process_time,
    ) -> None:
        self.most = self.now = threads
        self._use, self._wall, self._spent = use, wall, spent
        self._retry = RETRY[0]
        self._trying = False
        self.begin()

    def begin(self) -> None:
        """A new stretch of computing: what was before it does not count."""
        self._start, self._start_spent = self._wall(), self._spent()
        self._next_try = self._start + self._retry

    def look(self) -> None:
        """Between two calls of the engine: change the number of threads where it pays."""
        wall = self._wall()
        passed = wall - self._start
        if passed < WINDOW or self.most == 1:
            return
        spent = self._spent()
        got = (spent - self._start_spent) / passed
        self._start, self._start_spent = wall, spent
        if self.now - got > LOST:
            self._fewer(got, wall)
        elif self._trying:  # one thread more was no loss
            self._trying, self._retry = False, RETRY[0]
            self._next_try = wall + self._retry
        elif self.now < self.most and wall >= self._next_try:
            self._trying = True
            self._set(self.now + 1)

    def _fewer(self, got: float, wall: float) -> None:
        if self._trying:
            self._trying, self._retry = False, min(self._retry * 2, RETRY[1])
        self._next_try = wall + self._retry
        if self.now > 1:
            self._set(max(1, min(self.now - 1, int(got + LOST))))

    def _set(self, threads: int) -> None:
        self.now = threads
        self._use(threads)
