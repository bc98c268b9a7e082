"""The one plain sentence: which program answers faster here, and how sure that is."""

from __future__ import annotations

from smolpc.bench.report.figures import clean, known, number, ratios, times
from smolpc.schema.bench import (
    HIGHER_IS_BETTER,
    BenchResult,
    Comparison,
    Estimate,
    Metric,
    Variant,
)

OWN = ("llamacpp", "llama-server")  # players of smolpc itself
# What stands for "answers faster", the best first: a whole answer, else writing, else the wait.
SPEED: tuple[Metric, ...] = ("total", "decode", "first_token")
VERBS = {"total": "answers", "decode": "writes", "first_token": "begins to answer"}
RATES: tuple[Metric, ...] = ("decode",)  # all that llama-bench measures of an answer
USUAL = "short-chat"  # the scenario that stands for everyday use
UNCLEAR = "the measurements are too few or differ too much"


def headline(result: BenchResult) -> str:
    """One sentence for the whole result, about everyday use."""
    usual = [one for one in result.scenarios if one.name == USUAL] or list(result.scenarios)
    for scenario in [*usual, *result.scenarios]:
        found = _most_telling(result, scenario.name)
        if found is not None:
            why = f": {UNCLEAR}" if found.verdict == "unknown" else ""
            return f"On this PC {sentence(result, found)}{why}."
    return f"{_alone(result)}."


def by_scenario(result: BenchResult) -> list[tuple[str, str]]:
    """(title of the scenario, sentence) for every scenario and every variant but the base.
    Nothing when nothing is clear: the headline says that."""
    lines, clear = [], False
    for scenario in result.scenarios:
        for variant in result.variants[1:]:
            found = _comparison(result, scenario.name, variant.name)
            if found is not None:
                lines.append((scenario.title, sentence(result, found)))
                clear = clear or found.verdict != "unknown"
    return lines if clear else []


def sentence(result: BenchResult, found: Comparison) -> str:
    """A comparison in words, the faster one first. No "." at the end."""
    variants = {one.name: one for one in result.variants}
    sides = [variants.get(found.variant), variants.get(found.base)]
    alone = sum(one is not None and one.player in OWN for one in sides) == 1
    first = label(result, sides[0], found.variant, alone=alone)
    second = label(result, sides[1], found.base, alone=alone)
    does = VERBS.get(found.metric, "answers")
    if found.verdict == "unknown":
        return f"it is not clear whether {first} or {second} {does} faster"
    if found.verdict == "parity":
        between = ratios(found.ratio, joined="and")
        plural = does.replace("answers", "answer").replace("writes", "write")
        plural = plural.replace("begins", "begin")
        said = f"{first} and {second} {plural} equally fast"
        return f"{said} (the ratio is between {between})" if between else said
    faster = found.ratio if found.metric in HIGHER_IS_BETTER else _inverse(found.ratio)
    if found.verdict == "worse":
        first, second, faster = second, first, _inverse(faster)
    between = ratios(faster, joined="and")
    said = f"{first} {does} {times(faster.median)} times as fast as {second}"
    return f"{said} (between {between})" if between else said


def label(
    result: BenchResult, variant: Variant | None, name: str = "", *, alone: bool = False
) -> str:
    """What people call a variant: "smolpc" for our own program where there is only one in the
    run, or (`alone`) in the sentence."""
    if variant is None:
        return clean(name) or "another program"
    if variant.player in OWN:
        usual = alone and variant.player == "llamacpp"
        own = [one for one in result.variants if one.player in OWN]
        if usual or len(own) == 1:
            return "smolpc"
        return f"smolpc ({clean(variant.name)})"
    return clean(variant.name) or variant.player


def _most_telling(result: BenchResult, scenario: str) -> Comparison | None:
    """smolpc against somebody else's program, else any comparison of programs that answer."""
    found = [
        one
        for variant in result.variants[1:]
        if (one := _comparison(result, scenario, variant.name)) is not None
    ]
    players = {one.name: one.player for one in result.variants}

    def rank(one: Comparison) -> tuple[bool, bool, bool, bool]:
        sides = {players.get(one.base), players.get(one.variant)}
        answers = "llama-bench" not in sides
        return (
            answers,
            bool(sides & {*OWN}) and "ollama" in sides,
            not sides <= {*OWN},
            "llamacpp" in sides,
        )

    return max(found, key=rank, default=None)


def _comparison(result: BenchResult, scenario: str, variant: str) -> Comparison | None:
    by_metric = {
        one.metric: one
        for one in result.comparisons
        if (one.scenario, one.variant) == (scenario, variant) and known(one.ratio.median)
    }
    sides = {one.player for one in result.variants if one.name in (variant, _base(result))}
    metrics = RATES if "llama-bench" in sides else SPEED
    return next((by_metric[metric] for metric in metrics if metric in by_metric), None)


def _base(result: BenchResult) -> str:
    return result.variants[0].name if result.variants else ""


def _alone(result: BenchResult) -> str:
    """Without a comparison: what one program does."""
    for metric, said in (
        ("decode", "writes {} tokens a second (roughly three quarters as many words)"),
        ("first_token", "begins to answer after {} s"),
    ):
        for one in result.summaries:
            variant = next((v for v in result.variants if v.name == one.variant), None)
            if one.metric == metric and known(one.value.median):
                name = label(result, variant, one.variant)
                return f"On this PC {name} {said.format(number(one.value.median))}"
    return "Nothing can be said: no answer counts"


def _inverse(ratio: Estimate) -> Estimate:
    low, high = known(ratio.low), known(ratio.high)
    return Estimate(
        median=1 / ratio.median,
        low=1 / high if low and high else None,
        high=1 / low if low and high else None,
        count=ratio.count,
    )
