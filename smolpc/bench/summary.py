"""What the answers of a run say: medians, and who is faster. Pure.

Only answers without flags count. Two variants are compared by the ratios of their answers
within a block, which were measured one right after the other, so drift cancels.

All verdicts of a run together are wrong in at most 5 % of the runs: each interval is as much
wider as there are comparisons (Bonferroni), so a verdict is just what its interval shows. The
metrics that people feel (`PRIMARY`) get 4 of the 5 %, all others together 1 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, inf, isfinite, log
from statistics import median
from typing import get_args

from smolpc.bench.interval import Center, center, median_interval
from smolpc.schema.bench import (
    HIGHER_IS_BETTER,
    Answer,
    Comparison,
    Estimate,
    Metric,
    Summary,
    Verdict,
)

METRICS: tuple[Metric, ...] = get_args(Metric)
PRIMARY: tuple[Metric, ...] = ("first_token", "decode", "total")
ONCE: tuple[Metric, ...] = ("load",)  # measured once a run: nothing to compare
WHOLE: tuple[Metric, ...] = ("total", "energy")  # of an answer: longer answers need more
RISK = 0.04  # that any verdict on a primary metric of a run is wrong
OTHER_RISK = 0.01  # that any other one is
SAME_LENGTH = 1.05  # answers that differ by more are not compared as a whole
# Ratios nearer to 1 are parity, however sure they are: nobody feels 0.5 %, and the memory of two
# processes that do the same may differ by some per cent all the time.
MARGIN: dict[Metric, float] = {"memory": 1.05, "vram": 1.05}
SMALLEST = 1.005
LARGEST = 300.0  # logarithm of a ratio, so that it stays a number
VAGUE = 1.5  # an interval that reaches further than this on both sides is no parity


def counted(answers: Iterable[Answer], scenario: str, variant: str) -> list[Answer]:
    """The answers of one variant in one scenario that count."""
    return [
        one
        for one in answers
        if (one.scenario, one.variant) == (scenario, variant) and not one.flags
    ]


def by_block(answers: Iterable[Answer], scenario: str, variant: str) -> dict[int, list[Answer]]:
    """The answers that count, by block."""
    found: dict[int, list[Answer]] = {}
    for one in counted(answers, scenario, variant):
        found.setdefault(one.block, []).append(one)
    return found


def value(answers: Sequence[Answer], metric: Metric) -> float | None:
    """The metric in one block (the median where a block has several answers)."""
    found = [getattr(one, metric) for one in answers]
    known = [float(one) for one in found if one is not None and isfinite(one)]
    return median(known) if known else None


def values(answers: Iterable[Answer], scenario: str, variant: str, metric: Metric) -> list[float]:
    """The metric in each block, as far as it was measured there."""
    blocks = by_block(answers, scenario, variant).values()
    return [found for one in blocks if (found := value(one, metric)) is not None]


def summaries(
    answers: Sequence[Answer], scenarios: Sequence[str], variants: Sequence[str]
) -> tuple[Summary, ...]:
    """The median of every metric that was measured, by scenario, variant and metric."""
    found = []
    for scenario in scenarios:
        for variant in variants:
            for metric in METRICS:
                measured = values(answers, scenario, variant, metric)
                if measured:
                    estimate = _median(measured, once=metric in ONCE)
                    found.append(
                        Summary(scenario=scenario, variant=variant, metric=metric, value=estimate)
                    )
    return tuple(found)


def _median(measured: Sequence[float], *, once: bool) -> Estimate:
    if once:
        return Estimate(median=median(measured), count=1)
    low, high = median_interval(measured)
    if low == -inf:
        return Estimate(median=median(measured), count=len(measured))
    return Estimate(median=median(measured), low=low, high=high, count=len(measured))


def comparisons(
    answers: Sequence[Answer], scenarios: Sequence[str], variants: Sequence[str]
) -> tuple[Comparison, ...]:
    """Each variant against the first one, for every metric that both have in the same block."""
    if not variants:
        return ()
    logs: dict[tuple[str, Metric, str], list[float]] = {}
    for scenario in scenarios:
        base = by_block(answers, scenario, variants[0])
        for variant in variants[1:]:
            other = by_block(answers, scenario, variant)
            for metric in METRICS:
                pairs = [(base[block], other[block]) for block in base if block in other]
                ratios = [_log_ratio(one, two, metric) for one, two in pairs]
                logs[scenario, metric, variant] = [one for one in ratios if one is not None]
    measured = [(key, found) for key, found in logs.items() if found]
    many = family([metric for (_, metric, _), _ in measured])
    return tuple(
        Comparison(
            scenario=scenario,
            metric=metric,
            base=variants[0],
            variant=variant,
            ratio=(ratio := estimate(center(found), many[metric], median(found), len(found))),
            verdict=verdict(metric, ratio),
        )
        for (scenario, metric, variant), found in measured
    )


def _log_ratio(base: Sequence[Answer], other: Sequence[Answer], metric: Metric) -> float | None:
    before, after = value(base, metric), value(other, metric)
    if metric in ONCE or not before or not after or before < 0 or after < 0:
        return None
    if metric in WHOLE:
        lengths = [median(one.answer_tokens for one in side) for side in (base, other)]
        if max(lengths) > SAME_LENGTH * min(lengths):
            return None
    return log(after) - log(before)


def family(metrics: Sequence[Metric]) -> dict[Metric, float]:
    """The confidence of each interval, when these metrics are compared in one run."""
    primary = sum(metric in PRIMARY for metric in metrics)
    other = len(metrics) - primary
    return {
        metric: 1 - (RISK / primary if metric in PRIMARY else OTHER_RISK / other)
        for metric in metrics
    }


def estimate(found: Center | None, confidence: float, rough: float, count: int) -> Estimate:
    """The ratio whose logarithm has this center; `rough` is the logarithm where there is none."""
    if found is None:
        return Estimate(median=_ratio(rough), count=count)
    low, high = (_ratio(one) for one in found.interval(confidence))
    return Estimate(median=_ratio(found.at), low=low, high=high, count=count)


def _ratio(logarithm: float) -> float:
    return exp(max(-LARGEST, min(LARGEST, logarithm)))


def verdict(metric: Metric, ratio: Estimate) -> Verdict:
    """What the interval of a ratio (variant / base) shows."""
    if ratio.low is None or ratio.high is None:
        return "unknown"
    margin = MARGIN.get(metric, SMALLEST)
    if ratio.low > 1 and ratio.median > margin:
        return "better" if metric in HIGHER_IS_BETTER else "worse"
    if ratio.high < 1 and ratio.median < 1 / margin:
        return "worse" if metric in HIGHER_IS_BETTER else "better"
    if ratio.low < 1 / VAGUE and ratio.high > VAGUE:
        return "unknown"
    return "parity"
