"""What came out, for people: one sentence, and figures with what the noise allows to say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from smolpc.console import human_bytes
from smolpc.schema.bench import BenchResult, Comparison, Estimate, Metric, Scenario
from smolpc.schema.bench_report import HistoryEntry

SHOWN: tuple[Metric, ...] = ("first_token", "prompt", "decode", "gap_p95", "memory")
TITLES: dict[Metric, str] = {
    "first_token": "first token",
    "prompt": "prompt tokens/s",
    "decode": "answer tokens/s",
    "gap_p95": "slow gap (p95)",
    "memory": "memory",
}
RATES: tuple[Metric, ...] = ("prompt", "decode")
MARKS = {"better": "▲", "worse": "▼", "parity": "=", "unknown": "?"}


def title(metric: Metric) -> str:
    """The metric as the head of a column."""
    return TITLES.get(metric, metric)


def figure(metric: Metric, value: float) -> str:
    """A value with its unit."""
    if metric == "memory":
        return human_bytes(round(value))
    if metric in RATES:
        return f"{value:.1f}" if value < 1000 else f"{value:.0f}"
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


def cell(metric: Metric, found: Estimate | None) -> str:
    """A median and, where it is known, half the width of its interval in percent."""
    if found is None:
        return "-"
    shown = figure(metric, found.median)
    if found.low is None or found.high is None or not found.median:
        return shown
    return f"{shown} ±{(found.high - found.low) / 2 / found.median:.0%}"


def rows(result: BenchResult, scenario: Scenario) -> list[tuple[str, ...]]:
    """The table of one scenario: who, the figures, how near the decode rate is to the limit of
    the machine, and how it compares."""
    known = {
        (one.variant, one.metric): one.value
        for one in result.summaries
        if one.scenario == scenario.name
    }
    near = {
        one.variant: f"{one.share:.0%}"
        for one in result.limits
        if one.scenario == scenario.name and one.metric == "decode"
    }
    against = {
        one.variant: one
        for one in result.comparisons
        if one.scenario == scenario.name and one.metric == "decode"
    }
    return [
        (
            one.name,
            *(cell(metric, known.get((one.name, metric))) for metric in SHOWN),
            near.get(one.name, ""),
            ratio(against.get(one.name)),
        )
        for one in result.variants
    ]


def ratio(found: Comparison | None) -> str:
    """How a variant compares with the first one."""
    if found is None:
        return ""
    shown = f"{found.ratio.median:.2f}x"
    if found.ratio.low is not None and found.ratio.high is not None:
        shown += f" ({found.ratio.low:.2f} to {found.ratio.high:.2f})"
    return f"{shown} {MARKS[found.verdict]}"


def sentences(result: BenchResult) -> list[str]:
    """One sentence for each variant about how fast it answers, compared with the first one."""
    base = result.variants[0].name
    return [
        sentence(one.name, base, _of(result.comparisons, one.name)) for one in result.variants[1:]
    ]


def _of(comparisons: Iterable[Comparison], variant: str) -> list[Comparison]:
    return [one for one in comparisons if one.variant == variant and one.metric == "decode"]


def sentence(variant: str, base: str, found: Sequence[Comparison]) -> str:
    """What can be said for sure about all scenarios together."""
    if not found or all(one.verdict == "unknown" for one in found):
        return f"Too little was measured to compare {variant} with {base}."
    known = [one for one in found if one.verdict != "unknown"]
    ratios = [one.ratio.median for one in known]
    low, high = min(ratios), max(ratios)
    said = {one.verdict for one in known}
    if said == {"parity"}:
        return f"{variant} answers as fast as {base}."
    span = f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"
    times = f"{span} times as fast as {base}"
    if "better" in said and "worse" in said:
        return f"{variant} answers {times}: faster in some cases, slower in others."
    if "parity" in said:
        word = "faster" if "better" in said else "slower"
        return f"{variant} answers {times}: {word} in some cases, equal in others."
    return f"{variant} answers {times}."


def entry(result: BenchResult) -> HistoryEntry:
    """A result in short."""
    decode: dict[str, Estimate] = {}
    for variant in result.variants:
        found = [
            one.value
            for one in result.summaries
            if one.metric == "decode" and one.variant == variant.name
        ]
        if found:
            middle = median(one.median for one in found)
            decode[variant.name] = Estimate(median=middle, count=sum(one.count for one in found))
    return HistoryEntry(
        id=result.id,
        created=result.created,
        model=result.variants[0].model,
        blocks=len({one.block for one in result.answers if not one.flags}),
        decode=decode,
    )


def entry_rows(result: BenchResult) -> list[tuple[str, ...]]:
    """The lines of a result in `bench.history`."""
    found = entry(result)
    return [
        (found.id, found.model, name, figure("decode", one.median), str(found.blocks))
        for name, one in found.decode.items()
    ]
