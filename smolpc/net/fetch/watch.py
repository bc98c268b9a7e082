"""A stream that still trickles but starves: when to hang up and connect again."""

from __future__ import annotations

from collections import deque

FLOOR = 1024  # bytes a second; slower than any line a model can be fetched over
SHARE = 1 / 16  # of what the other streams get on average
STEP = 0.25  # seconds between notes of the count


class Watch:
    """Feed it with (bytes so far, time); `rate` looks back over `span` seconds."""

    def __init__(self, span: float, now: float) -> None:
        self.span = span
        self._notes: deque[tuple[float, int]] = deque([(now, 0)])

    def note(self, count: int, now: float) -> None:
        if now - self._notes[-1][0] >= min(STEP, self.span / 8):
            self._notes.append((now, count))
        while len(self._notes) > 2 and now - self._notes[1][0] >= self.span:
            self._notes.popleft()

    def rate(self, now: float) -> float | None:
        """Bytes per second over the last `span` seconds; None: not watched that long yet."""
        start, before = self._notes[0]
        if now - start < self.span:
            return None
        return (self._notes[-1][1] - before) / (now - start)

    def starves(self, now: float, others: float, limit: int) -> bool:
        """`others`: mean bytes per second of the other streams, 0 if there are none;
        `limit`: what we allow ourselves for this stream, 0: no limit."""
        rate = self.rate(now)
        if rate is None:
            return False
        floor = max(FLOOR, SHARE * others)
        if limit:
            floor = min(floor, limit / 8)
        return rate < floor
