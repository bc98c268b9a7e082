"""A bandwidth limit over all streams together."""

from __future__ import annotations

BURST = 0.25  # seconds of the rate that may pass at once


class TokenBucket:
    """`rate` bytes a second; 0: no limit. The caller holds a lock and knows the time.

    Bytes that arrived cannot be sent back, so a take may run into debt; the delay it
    returns pays it off. Over any time t at most `rate * (t + BURST)` bytes plus one take for
    each stream pass (the token bucket of RFC 2697, without colours).
    """

    def __init__(self, rate: int, now: float) -> None:
        self.rate, self.last = rate, now
        self.tokens = rate * BURST

    def take(self, count: int, now: float) -> float:
        """Account for `count` bytes; the seconds to wait before the next take."""
        if not self.rate:
            return 0.0
        self.tokens = min(self.tokens + (now - self.last) * self.rate, self.rate * BURST)
        self.last = now
        self.tokens -= count
        return max(0.0, -self.tokens / self.rate)

    def piece(self, largest: int) -> int:
        """How many bytes to read at once, so that the flow is even."""
        return min(largest, max(1024, self.rate // 20)) if self.rate else largest
