"""A result as Markdown: for an issue, a wiki, a merge request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from smolpc.bench.report import about, words
from smolpc.bench.report.figures import LOOKS, UNKNOWN, clean, heading, number, share
from smolpc.bench.report.grid import COLUMNS, Cell, Section, sections
from smolpc.schema.bench import BenchResult, Limit

SPECIAL = re.compile(r"([\\`*_\[\]|~$])|^([-+#=]|[0-9]+[.)](?!\S))")
HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def report(result: BenchResult) -> str:
    """The whole report, ends with a newline."""
    blocks = [
        "# How fast a model answers here",
        f"**{escaped(words.headline(result))}**",
        *(_section(one) for one in sections(result)),
        "## Who played",
        "\n".join(_bullet(one.name, about.player(one)) for one in result.variants),
        "## The machine",
        "\n".join(
            f"- {label}: {escaped(text)}"
            for label, text in [*about.machine(result.host), ("Fingerprint", result.fingerprint)]
        ),
        "## How sure this is",
        "\n".join(f"- {escaped(one)}" for one in [*about.noise(result), *result.notes]),
        f"smolpc {escaped(result.smolpc)}, {escaped(result.created)}, run {escaped(result.id)}",
    ]
    return "\n\n".join(filter(None, blocks)) + "\n"


def escaped(text: str) -> str:
    """`text` as it is, whatever Markdown or HTML it looks like."""
    marked = SPECIAL.sub(_backslash, clean(text))
    return "".join(HTML.get(one, one) for one in marked)


def _backslash(found: re.Match[str]) -> str:
    special = found[0]
    return f"{special[:-1]}\\{special[-1]}"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown already; the first column is text, the rest numbers."""
    lines = [columns, ["---", *("---:" for _ in columns[1:])], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _section(section: Section) -> str:
    rows = [
        [escaped(row.variant.name), *(_cell(cell, base=row.base) for cell in row.cells)]
        for row in section.rows
    ]
    base = next((row.variant.name for row in section.rows if row.base), "")
    parts = [
        f"## {escaped(section.scenario.title)}",
        escaped(section.scenario.about),
        table(["", *(heading(one) for one in COLUMNS)], rows),
        f"Median (95 % interval); × is the ratio to {escaped(base)}."
        f" {section.counted} of {len(section.answers)} answers count.",
        "\n".join(_limit(one) for one in section.limits),
    ]
    return "\n\n".join(filter(None, parts))


def _cell(cell: Cell, *, base: bool) -> str:
    if not cell.value:
        return UNKNOWN
    said = f"{cell.value} ({cell.between})" if cell.between else cell.value
    if base or not cell.ratio:
        return said
    between = f" ({cell.ratio_between})" if cell.ratio_between else ""
    return f"{said}<br>{cell.ratio} ×{between}, {cell.verdict}"


def _limit(limit: Limit) -> str:
    look = LOOKS[limit.metric]
    most = number(limit.limit * look.scale)
    return (
        f"- {escaped(limit.variant)}, {look.title}: {share(limit.share)} of what is possible here"
        f" ({most} {look.unit}), held back by {escaped(limit.held_back_by)}"
    )


def _bullet(title: str, pairs: Sequence[tuple[str, str]]) -> str:
    return f"- {escaped(title)}: " + ", ".join(f"{name} {escaped(text)}" for name, text in pairs)
