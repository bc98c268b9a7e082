"""Where a true value lies, from few and noisy measurements, at a given confidence. Pure.

Bootstrap intervals are too short with 6 to 15 values: at the 99.7 % that a family of comparisons
needs, percentile intervals of a median miss three to ten times as often as they say. Rank tests
cannot say anything there: their smallest p with 6 pairs is 0.03. So:

- A *median* of one variant: order statistics, exact for any distribution (the sign test), with
  the interpolation of Hettmansperger and Sheather (Statistics & Probability Letters 4, 1986,
  75-79), because the exact steps are coarse.
- The *center* of log ratios: the biweight of Mosteller and Tukey (Data Analysis and Regression,
  1977) with its t interval (Kafadar, JASA 77, 1982, 416-424). The log ratio of two
  answers that come from the same distribution, whatever it is, is symmetric around 0, and that
  is all which such an interval assumes. One answer in ten may be wild and hardly matters.
  The scale is the median distance of all pairs (Shamos, 1976). With the usual one, the median
  distance from the median, intervals of 6 to 10 values at 99.7 % miss 1.5 to 2.5 times as often
  as they say.
  `CUT` and the degrees of freedom, `count` - 3, were chosen by simulation, with normal, skewed and
  heavy tails and 6 to 15 values: intervals miss at most as often as they say at 1 in 20, 1.1
  times as often at 1 in 300, 1.5 times at 1 in 1000 and 2.5 times at 1 in 3000
  (tests/benchmarks/bench_statistics.py --tails).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from math import comb, cos, inf, pi, sin, sqrt, tan
from statistics import fmean, median, variance

from smolpc.schema.base import Value

FEWEST = 6  # values that allow to say where the true one lies
CUT = 5.0  # standard deviations from the center, beyond which a value does not count at all
NORMAL = 0.954  # the median distance of two values from a normal distribution of deviation 1
TIED = 1e-6  # of the range: values that are nearer to each other are equal
STEPS = 8  # of the iteration to the center


class Center(Value, kw_only=True):
    """The center of a sample, its standard error, and the degrees of freedom of that."""

    at: float
    error: float
    freedom: int

    def __sub__(self, other: Center) -> Center:
        """The difference of two independent samples (Welch)."""
        mine, its = self.error**2, other.error**2
        freedom = min(self.freedom, other.freedom)
        if mine + its > 0:
            share = mine / (mine + its)
            freedom = int(1 / (share**2 / self.freedom + (1 - share) ** 2 / other.freedom) + 1e-9)
        return Center(at=self.at - other.at, error=sqrt(mine + its), freedom=freedom)

    def interval(self, confidence: float) -> tuple[float, float]:
        """The true center lies in it with this confidence (0 to 1)."""
        half = student(confidence, self.freedom) * self.error
        return self.at - half, self.at + half


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Where the true median lies; from -infinity to infinity where the values are too few."""
    ordered, count = sorted(values), len(values)
    covered = [
        1 - 2 * sum(comb(count, k) for k in range(cut)) / 2**count for cut in range(1, count)
    ]
    cuts = [cut for cut, cover in enumerate(covered, 1) if cover >= confidence]
    if not cuts:
        return -inf, inf
    cut = cuts[-1]  # the values number `cut` from both ends, a little more inside
    too_much = (covered[cut - 1] - confidence) / (covered[cut - 1] - covered[cut])
    inward = (count - cut) * too_much / (cut + (count - 2 * cut) * too_much)
    low = ordered[cut - 1] + inward * (ordered[cut] - ordered[cut - 1])
    high = ordered[-cut] - inward * (ordered[-cut] - ordered[-cut - 1])
    return low, high


def center(values: Sequence[float]) -> Center | None:
    """The center of a symmetric distribution; None where the values are fewer than `FEWEST`."""
    count = len(values)
    if count < FEWEST:
        return None
    gaps = [abs(one - two) for place, one in enumerate(values) for two in values[:place]]
    reach = CUT * median(gaps) / NORMAL
    if reach <= TIED * max(gaps):  # most are equal: nothing tells the wild ones from the others
        error = sqrt(variance(values) / count)
        return Center(at=fmean(values), error=error, freedom=count - 3)
    at = median(values)
    for _ in range(STEPS):
        weights = [max(0.0, 1 - ((value - at) / reach) ** 2) ** 2 for value in values]
        at = sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights)
    near = [(value - at, ((value - at) / reach) ** 2) for value in values]
    spread = sum((off * (1 - u) ** 2) ** 2 for off, u in near if u < 1)
    slope = max(1.0, sum((1 - u) * (1 - 5 * u) for _, u in near if u < 1))
    error = sqrt(spread / (slope * max(1.0, slope - 1)))
    return Center(at=at, error=error, freedom=count - 3)


@functools.lru_cache(maxsize=1024)
def student(confidence: float, freedom: int) -> float:
    """The t that a Student variable stays within (-t to t) with this probability."""
    low, high = 0.0, pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < confidence else (low, middle)
    return sqrt(freedom) * tan(low)


def _within(angle: float, freedom: int) -> float:
    """P(|T| < sqrt(freedom) * tan(angle)): Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    odd = freedom % 2
    term, total = (cos(angle) if odd else 1.0), 0.0
    for power in range(odd, freedom - 1, 2):
        total += term
        term *= cos(angle) ** 2 * (power + 1) / (power + 2)
    return (angle + sin(angle) * total) * 2 / pi if odd else sin(angle) * total
