"""A result as rows and cells: what every form of report shows, each in its own way."""

from __future__ import annotations

from collections.abc import Sequence

from smolpc.bench.report.figures import LOOKS, VERDICTS, interval, number, ratios, scaled, times
from smolpc.schema.base import Value
from smolpc.schema.bench import (
    Answer,
    BenchResult,
    Comparison,
    Limit,
    Metric,
    Scenario,
    Summary,
    Variant,
)

COLUMNS: tuple[Metric, ...] = ("first_token", "prompt", "decode", "gap_p95", "memory")


class Cell(Value, kw_only=True):
    """One metric of one variant. Texts are "" where there is nothing to say."""

    metric: Metric
    value: str = ""  # the median, in the unit of the column
    between: str = ""  # "41.0 to 43.0", 95 % confidence
    ratio: str = ""  # to the base: "1.31"
    ratio_between: str = ""
    verdict: str = ""  # of VERDICTS, "" for the base


class Row(Value, kw_only=True):
    variant: Variant
    base: bool  # the others are compared with this one
    cells: tuple[Cell, ...]  # one for each of COLUMNS


class Section(Value, kw_only=True):
    """Everything about one scenario."""

    scenario: Scenario
    rows: tuple[Row, ...]
    answers: tuple[Answer, ...]
    limits: tuple[Limit, ...]

    @property
    def counted(self) -> int:
        return sum(not one.flags for one in self.answers)


def sections(result: BenchResult, columns: Sequence[Metric] = COLUMNS) -> tuple[Section, ...]:
    """One section for each scenario that anybody answered, in the order of the result."""
    took_part = {(one.scenario, one.variant) for one in result.answers}
    values = {(one.scenario, one.variant, one.metric): one for one in result.summaries}
    ratios = {(one.scenario, one.variant, one.metric): one for one in result.comparisons}
    return tuple(
        Section(
            scenario=scenario,
            rows=tuple(
                Row(
                    variant=variant,
                    base=place == 0,
                    cells=tuple(
                        _cell(
                            metric,
                            values.get((scenario.name, variant.name, metric)),
                            ratios.get((scenario.name, variant.name, metric)),
                        )
                        for metric in columns
                    ),
                )
                for place, variant in enumerate(result.variants)
                if (scenario.name, variant.name) in took_part
            ),
            answers=tuple(one for one in result.answers if one.scenario == scenario.name),
            limits=tuple(one for one in result.limits if one.scenario == scenario.name),
        )
        for scenario in result.scenarios
        if any((scenario.name, variant.name) in took_part for variant in result.variants)
    )


def _cell(metric: Metric, summary: Summary | None, comparison: Comparison | None) -> Cell:
    cell: dict[str, str] = {}
    if summary is not None and scaled(metric, summary.value.median) is not None:
        cell["value"] = number(scaled(metric, summary.value.median))
        cell["between"] = interval(summary.value, LOOKS[metric].scale)
    if comparison is not None:
        cell["ratio"] = times(comparison.ratio.median)
        cell["ratio_between"] = ratios(comparison.ratio)
        cell["verdict"] = VERDICTS[comparison.verdict]
    return Cell(metric=metric, **cell)
