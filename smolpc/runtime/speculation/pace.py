"""How many guessed tokens to check in one batch, so that it pays.

A batch of `n` tokens takes `1 + slope * (n - 1)` times as long as one token; how often a guess
is right depends on how many tokens agreed before it. Both are learned all the time. A guess is
compared with the token that came even when it was not checked, so guesses that do not pay
cost nothing and are noticed when they become good again. An account limits what wrong
estimates can cost: a batch that brought less than it cost is paid from it, and when it is
empty there are single tokens only.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 32  # guesses in one batch
GAIN = 1.05  # the least expected gain over single tokens for which a batch is worth it
SLOPE = 0.25  # of a processor; where a batch is cheaper, this is learned
CHANCES = (0.2, 0.3, 0.4, 0.6, 0.8, 0.9, 0.95)  # first values, by size of the agreement
OWN = 4  # observations that a first value is worth
MEMORY = 32  # observations after which an old one hardly counts
CREDIT = 6.0  # what may be lost before anything was won, in times of a single token
MOST_CREDIT = 16.0
INCOME = 0.02  # per token: the share of the time that may be lost for good
HOPELESS = 0.05  # longer drafts are not considered when they are this unlikely


class Pace:
    """What one loaded model has taught; it outlives a single answer.

    `chances` and `slope` are the first values. No guess is believed to cost more than `dearest`
    tokens: a batch that took longer met a busy machine.
    """

    def __init__(
        self, chances: Sequence[float] = CHANCES, slope: float = SLOPE, dearest: float = 1.0
    ) -> None:
        self.slope = self._first_slope = slope
        self._dearest = dearest
        self.seconds = 0.0  # of a single token; 0: not known yet, so nothing is checked
        self.credit = CREDIT
        self._chances = list(chances)
        self._seen = [OWN] * len(CHANCES)

    def length(self, matched: int, at_most: int = LONGEST) -> int:
        """How many guesses to check when `matched` tokens agreed; 0: none."""
        if self.credit <= 0.0 or not self.seconds:
            return 0
        best, best_rate, expected, chance = 0, GAIN, 1.0, 1.0
        for count in range(1, min(at_most, LONGEST) + 1):
            chance *= self._chances[_size(matched + count - 1)]
            if chance < HOPELESS:
                break
            expected += chance
            rate = expected / (1.0 + self.slope * count)
            if rate > best_rate:
                best, best_rate = count, rate
        if best == 0:  # a slope that was wrong once must not stay for ever
            self.slope += (min(self.slope, self._first_slope) - self.slope) / 64
        return best

    def seen(self, matched: int, right: bool) -> None:
        """A guess after `matched` agreeing tokens was right or wrong."""
        size = _size(matched)
        self._seen[size] = min(self._seen[size] + 1, MEMORY)
        self._chances[size] += (right - self._chances[size]) / self._seen[size]

    def took(self, proposed: int, accepted: int, seconds: float) -> None:
        """A batch of one token and `proposed` guesses took `seconds`, sampling included."""
        if not proposed:
            if self.seconds:
                seconds = min(seconds, 2 * self.seconds)  # the machine was busy for a moment
                self.seconds += (seconds - self.seconds) / 16
            else:
                self.seconds = seconds
            self.credit = min(MOST_CREDIT, self.credit + INCOME)
            return
        slope = min(max((seconds / self.seconds - 1.0) / proposed, 0.0), self._dearest)
        self.slope += (slope - self.slope) * min(0.25, 0.05 * proposed)  # longer says more
        won = accepted - slope * proposed
        self.credit = min(MOST_CREDIT, self.credit + won + INCOME)


def _size(matched: int) -> int:
    """Agreement in powers of two: 0, 1, 2-3, 4-7, 8-15, 16-31, more."""
    return min(matched.bit_length(), len(CHANCES) - 1)
