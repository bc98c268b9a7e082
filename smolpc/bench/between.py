"""Two runs, one after the other in time: what changed between them. Pure.

Nothing of one run belongs to a certain moment of the other, so samples are compared instead of
pairs: the difference of two biweight centers of the logarithms, with Welch's degrees of freedom
(Kafadar, Using biweight M-estimates in the two-sample problem, 1982). What is different about
the machine between the runs is in no interval; the notes say what the anchors show of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log
from statistics import median
from typing import TypeVar

from smolpc.bench.drift import usual
from smolpc.bench.interval import center
from smolpc.bench.summary import (
    METRICS,
    ONCE,
    SAME_LENGTH,
    WHOLE,
    counted,
    estimate,
    family,
    values,
    verdict,
)
from smolpc.schema.bench import BenchResult, Comparison, Estimate, Metric, Scenario, Variant

MOVED = 1.03  # anchors of two runs that differ by more are worth a note

N = TypeVar("N", Scenario, Variant)
Sample = list[float]  # logarithms


def compare(base: BenchResult, new: BenchResult) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """Each variant in `new` against the same one in `base`, and notes: what was not compared and
    why, and what makes the comparison doubtful."""
    notes = _about_machine(base, new)
    scenarios = _shared(
        {one.name: one for one in base.scenarios},
        {one.name: one for one in new.scenarios},
        _other_question,
        notes,
    )
    variants = _shared(
        {one.name: one for one in base.variants},
        {one.name: one for one in new.variants},
        _other_model,
        notes,
    )
    samples = [
        (scenario, metric, variant, *found)
        for scenario in scenarios
        for variant in variants
        for metric in METRICS
        if (found := _samples(base, new, scenario, variant, metric))
    ]
    many = family([metric for _, metric, *_ in samples])
    comparisons = tuple(
        Comparison(
            scenario=scenario,
            metric=metric,
            base=base.id,
            variant=variant,
            ratio=(ratio := _ratio(before, after, many[metric])),
            verdict=verdict(metric, ratio),
        )
        for scenario, metric, variant, before, after in samples
    )
    return comparisons, tuple(notes)


def _ratio(before: Sample, after: Sample, confidence: float) -> Estimate:
    one, two = center(before), center(after)
    return estimate(
        two - one if one and two else None,
        confidence,
        median(after) - median(before),
        min(len(before), len(after)),
    )


def _about_machine(base: BenchResult, new: BenchResult) -> list[str]:
    if base.fingerprint != new.fingerprint:
        return ["the two runs come from different machines, or the machine was changed"]
    before, after = usual(base.anchors, base.conditions), usual(new.anchors, new.conditions)
    if not before or not after or max(before, after) < MOVED * min(before, after):
        return []
    if after > before:
        return [f"the machine itself was {after / before - 1:.0%} slower in the later run"]
    return [f"the machine itself was {before / after - 1:.0%} faster in the later run"]


def _shared(
    before: Mapping[str, N], after: Mapping[str, N], differ: Callable[[N, N], str], notes: list[str]
) -> list[str]:
    """The names that may be compared; for the others a note is added."""
    shared = []
    for name in dict.fromkeys((*before, *after)):
        if name not in before or name not in after:
            why = f"only in the {'later' if name in after else 'earlier'} run"
        else:
            why = differ(before[name], after[name])
        if why:
            notes.append(f"{name} is not compared: {why}")
        else:
            shared.append(name)
    return shared


def _other_question(before: Scenario, after: Scenario) -> str:
    if before.version == after.version:
        return ""
    return f"versions {before.version} and {after.version} of the scenario ask different things"


def _other_model(before: Variant, after: Variant) -> str:
    if before.model_sha256 != after.model_sha256:
        return "the models are different files"
    if not before.model_sha256 and before.model != after.model:
        return f"the models are {before.model} and {after.model}"
    return ""


def _samples(
    base: BenchResult, new: BenchResult, scenario: str, variant: str, metric: Metric
) -> tuple[Sample, Sample] | None:
    if metric in ONCE:
        return None
    if metric in WHOLE:
        lengths = [_length(run, scenario, variant) for run in (base, new)]
        if max(lengths) > SAME_LENGTH * min(lengths):
            return None
    before, after = (
        [log(value) for value in values(run.answers, scenario, variant, metric) if value > 0]
        for run in (base, new)
    )
    return (before, after) if before and after else None


def _length(run: BenchResult, scenario: str, variant: str) -> float:
    answers = counted(run.answers, scenario, variant)
    return median([one.answer_tokens for one in answers] or [0])
