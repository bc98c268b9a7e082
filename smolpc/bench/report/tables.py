"""A result on a terminal, and every answer for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from smolpc.bench.report import about, words
from smolpc.bench.report.figures import LOOKS, UNKNOWN, clean, heading, number, share, short
from smolpc.bench.report.grid import COLUMNS, Row, sections
from smolpc.console import Console
from smolpc.schema.bench import Answer, BenchResult, Limit, Metric

LONGEST = 34  # characters of a name in a table
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute what begins so


def show(console: Console, result: BenchResult) -> None:
    """The sentence, a table for each scenario, and what the reader must know."""
    console.print(f"{words.headline(result)}\n")
    models = {one.name: one.model for one in result.variants}
    for section in sections(result):
        console.print(f"{clean(section.scenario.title)}: {clean(section.scenario.about)}")
        console.table(
            ["", *(heading(metric) for metric in COLUMNS)],
            [
                [short(row.variant.name, LONGEST), *(cell.value or UNKNOWN for cell in row.cells)]
                for row in section.rows
            ],
            below=[_below(row) for row in section.rows],
        )
        for line in _limits(section.limits, models):
            console.print(f"  {line}")
        console.print()
    for note in [*about.noise(result), *result.notes]:
        console.print(f"note: {clean(note)}")


def _limits(limits: Sequence[Limit], models: Mapping[str, str]) -> Iterator[str]:
    """How near each program comes to what is possible: a line for each metric, each thing that
    holds it back, and each model (`models`: by variant)."""
    groups: dict[tuple[Metric, str, str], list[Limit]] = {}
    for one in limits:
        group = one.metric, one.held_back_by, models.get(one.variant, "")
        groups.setdefault(group, []).append(one)
    for (metric, by, _), found in groups.items():
        look = LOOKS[metric]
        most = max(one.limit for one in found) * look.scale
        shares = ", ".join(f"{share(one.share)} {short(one.variant, LONGEST)}" for one in found)
        yield (
            f"{look.title}: of what this PC can do at most ({number(most)} {look.unit})"
            f" {shares}; held back by {clean(by)}"
        )


def _below(row: Row) -> str:
    if row.base:
        between = [f"{LOOKS[c.metric].title} {c.between}" for c in row.cells if c.between]
        return "the others are compared with this one" + (
            f"; {', '.join(between)}" if between else ""
        )
    said = [
        f"{LOOKS[cell.metric].title} {cell.ratio} ×"
        + (f" ({cell.ratio_between})" if cell.ratio_between else "")
        + f" {cell.verdict}"
        for cell in row.cells
        if cell.ratio
    ]
    return ", ".join(said) or "not compared: nothing was measured in the same block"


def answers_csv(result: BenchResult) -> str:
    """Every answer, one a line, with the names of the columns first; empty: not measured."""
    fields = [one.name for one in msgspec.structs.fields(Answer)]
    variants = {one.name: one for one in result.variants}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["run", "model", "engine", *fields])
    for answer in result.answers:
        variant = variants.get(answer.variant)
        about_it = [result.id, variant.model if variant else "", variant.engine if variant else ""]
        values = [getattr(answer, name) for name in fields]
        writer.writerow([_csv(one) for one in [*about_it, *values]])
    return out.getvalue()


def _csv(value: object) -> object:
    if isinstance(value, tuple):
        value = " ".join(map(str, value))
    if isinstance(value, str):
        value = clean(value)  # first: what it takes away may hide the sign of a formula
        value = f"'{value}" if value.startswith(FORMULA) else value
    return value
