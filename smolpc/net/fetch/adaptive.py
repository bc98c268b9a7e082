"""How many streams: one, and more only while the total rate measurably rises."""

from __future__ import annotations

import math

WINDOW = 0.1  # seconds, the shortest measurement
WINDOW_BYTES = 256 << 10  # below this a window is too coarse, so it grows up to LONG_WINDOW
LONG_WINDOW = 1.0
FLAT = 0.12  # two windows in a row that differ by less: the rate has settled
PATIENCE = 2.0  # seconds a new stream gets (handshakes, slow start) before "no gain" is said
RESTLESS = 4.0  # seconds after which a rate that never settles is averaged
GAIN = 1.15  # "measurably": more than the noise between two settled windows
WORTH = 2 * PATIENCE  # seconds that must be left: a trial that fails must not cost the whole rest
HOLD = 15.0  # seconds until the next try after one that did not help; doubles each time


class Controller:
    """Feed `sample` with the total bytes received; it answers how many streams to use.

    A trial goes from n to 2n streams (4n after a doubling that doubled the rate). Its gain
    g = rate after / rate before keeps ceil(n * g) streams: what the rate shows to be in use.
    `fixed` > 0 is kept as it is, unless the server refuses.
    """

    def __init__(self, most: int, fixed: int = 0) -> None:
        self.most = self.cap = most
        self.wanted = min(fixed, most) if fixed else 1
        self.fixed = bool(fixed)
        self.base: tuple[int, float] | None = None  # streams and rate before the trial
        self.rates: list[float] = []
        self.hold_until, self.hold = 0.0, HOLD
        self.eager = False
        self._window: tuple[float, int] | None = None
        self._since = 0.0

    @property
    def rate(self) -> float:
        """Bytes per second, lately; 0.0 when nothing was measured yet."""
        return self.rates[-1] if self.rates else 0.0

    def pause(self) -> None:
        """The streams stopped for a reason of ours: measure anew."""
        self._window, self.rates = None, []

    def refused(self, now: float, running: int) -> None:
        """The server turned a stream away while `running` others were served."""
        if running < 1:
            return
        self.cap = max(1, running)
        self._settle(min(self.wanted, self.cap), now)

    def sample(self, now: float, received: int, left: int | None, smallest: int) -> int:
        """`received`: bytes so far in this run; `left`: bytes missing; `smallest`: bytes that
        one request should be worth. Returns the streams to use from now on."""
        if self.fixed or not self._measured(now, received):
            return self.wanted
        rate, settled = self._settled_rate(now)
        if self.base is not None:
            self._judge(now, rate, settled, *self.base)
        if self.base is None and self.rates and settled and now >= self.hold_until:
            self.cap = self.most
            self._try_more(now, rate, left, smallest)
        return self.wanted

    def _measured(self, now: float, received: int) -> bool:
        """Whether another window is complete."""
        if self._window is None:
            self._window, self._since = (now, received), now
            return False
        start, before = self._window
        took, count = now - start, received - before
        if took < WINDOW or (count < WINDOW_BYTES and took < LONG_WINDOW):
            return False
        self.rates.append(count / took)
        self._window = (now, received)
        return True

    def _settled_rate(self, now: float) -> tuple[float, bool]:
        if len(self.rates) < 2:
            return self.rates[-1], False
        before, last = self.rates[-2:]
        if abs(last - before) <= FLAT * max(last, before):
            return (last + before) / 2, True
        late = self.rates[len(self.rates) // 2 :]
        return sum(late) / len(late), now - self._since >= RESTLESS

    def _try_more(self, now: float, rate: float, left: int | None, smallest: int) -> None:
        more = min(self.wanted * (4 if self.eager else 2), self.cap)
        if left is None or rate <= 0 or left / rate < WORTH:
            return
        more = min(more, left // max(2 * smallest, 1))
        if more > self.wanted:
            self.base = (self.wanted, rate)
            self.wanted = more
            self._anew(now)

    def _judge(self, now: float, rate: float, settled: bool, before: int, base_rate: float) -> None:
        gain = rate / base_rate
        if settled and gain >= GAIN:
            useful = min(self.wanted, math.ceil(before * gain - 0.25))
            full = useful == self.wanted
            if full:  # and at this rate the next trial may begin
                self.base, self.hold = None, HOLD
                self.eager = gain >= 0.85 * self.wanted / before
            else:
                self._settle(useful, now)
        elif settled and (gain <= 1 / GAIN or now - self._since >= PATIENCE):
            self._settle(before, now)

    def _settle(self, streams: int, now: float) -> None:
        """Stay with this many for a while."""
        self.base, self.wanted, self.eager = None, streams, False
        self.hold_until = now + self.hold
        self.hold *= 2
        self._anew(now)

    def _anew(self, now: float) -> None:
        self._window, self._since, self.rates = None, now, []
