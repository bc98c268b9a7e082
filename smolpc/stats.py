"""Statistics of repeated measurements: medians and what noise allows to say about them.

Nothing here assumes a normal distribution: times on a PC have a long tail.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from statistics import median

__all__ = ["lower_bound", "median", "pairs_needed", "spread", "upper_bound"]


def _rank(count: int, confidence: float) -> int:
    """How many of the smallest values may be cut off so that the next one still lies below
    the median with this confidence; -1: `count` values are too few to say."""
    below, ways = 0.0, -1
    for cut in range(count):
        below += comb(count, cut) / 2**count
        if below > 1 - confidence:
            break
        ways = cut
    return ways


def lower_bound(values: Sequence[float], confidence: float = 0.95) -> float:
    """The true median is above this value with at least this (one-sided) confidence.

    An order statistic of the sample, with the exact binomial coverage of the sign test.
    Negative infinity when the values are too few to say.
    """
    rank = _rank(len(values), confidence)
    return sorted(values)[rank] if rank >= 0 else float("-inf")


def upper_bound(values: Sequence[float], confidence: float = 0.95) -> float:
    """The true median is below this value with at least this (one-sided) confidence."""
    return -lower_bound([-value for value in values], confidence)


def pairs_needed(confidence: float) -> int:
    """The fewest values with which `lower_bound` can say anything."""
    count = 1
    while _rank(count, confidence) < 0:
        count += 1
    return count


def spread(values: Sequence[float]) -> float:
    """How far apart the middle half of the values lies, as a fraction of the median."""
    ordered = sorted(values)
    quarter = len(ordered) // 4
    return (ordered[-1 - quarter] - ordered[quarter]) / median(ordered)
