"""In which order is measured, and when it is enough. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from math import inf

from smolpc.bench.interval import FEWEST
from smolpc.bench.summary import PRIMARY
from smolpc.schema.bench import Comparison, Summary

NARROW = 0.02  # width of an interval, as a fraction: more measurements would change nothing

Turn = tuple[str, str]  # scenario, variant


def order(
    scenarios: Sequence[str], variants: Sequence[str], *, seed: int, block: int
) -> tuple[Turn, ...]:
    """The turns of one block: every variant once in each scenario.

    Scenarios come in random order, and so do the variants of each; those stand next to each
    other, so that the machine is the same for what is compared. The same seed and block always
    give the same order.
    """
    rng = random.Random(f"{seed} {block}")  # noqa: S311 - the order of measurements
    return tuple(
        (scenario, variant)
        for scenario in rng.sample(scenarios, len(scenarios))
        for variant in rng.sample(variants, len(variants))
    )


def widest(found: Iterable[Comparison | Summary]) -> float:
    """The width of the widest interval of the primary metrics: 0.02 where one reaches from 0.99
    to 1.01. Infinite where an interval is missing, or nothing counts yet."""
    widths = []
    for one in found:
        if one.metric in PRIMARY:
            known = one.ratio if isinstance(one, Comparison) else one.value
            if known.low is None or known.high is None or known.median <= 0:
                return inf
            widths.append((known.high - known.low) / known.median)
    return max(widths, default=inf)


def go_on(
    blocks: Sequence[float],
    *,
    left: float,
    most: int,
    width: float,
    narrow: float = NARROW,
    fewest: int = FEWEST,
) -> bool:
    """Whether to measure one more block.

    `blocks`: seconds that each finished block took; the next one may take as long as the
    longest. `left`: seconds that are left. `width`: of the widest interval (`widest`). At
    least `fewest` blocks are measured where the time suffices, never more than `most`.
    """
    if len(blocks) >= most or left <= 0 or left < max(blocks, default=0.0):
        return False
    return len(blocks) < fewest or width > narrow
