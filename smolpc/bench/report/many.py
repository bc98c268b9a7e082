"""The report over many PCs, as Markdown and as a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from smolpc.bench.report.figures import LOOKS, UNKNOWN, heading, number, times
from smolpc.bench.report.grid import COLUMNS
from smolpc.bench.report.html import PLOTTED, rendered
from smolpc.bench.report.markdown import escaped, table
from smolpc.bench.report.plots import Plot, Series, drawn
from smolpc.schema.bench import Metric
from smolpc.schema.bench_many import ClassReport, MachineClass, MergedReport, MergedRow

TITLE = "How fast models answer on these PCs"


class Cell(NamedTuple):
    """One metric of one program; "" where there is nothing to say."""

    value: str = UNKNOWN
    between: str = ""  # the smallest to the largest figure of a PC
    ratio: str = ""
    base: str = ""


class Group(NamedTuple):
    """One scenario with one file: figures that may be compared."""

    scenario: str
    version: int
    model: str
    model_sha256: str

    @property
    def title(self) -> str:
        return f"{self.scenario} (version {self.version})" if self.version > 1 else self.scenario


Programs = dict[str, dict[Metric, MergedRow]]  # by variant


def report(merged: MergedReport) -> str:
    """A table for each kind of PC and each scenario in Markdown, ends with a newline."""
    blocks = [
        f"# {TITLE}",
        f"{summary(merged)} Each figure is the median PC (the smallest to the largest in brackets,"
        " where they differ); × is the ratio to the program in brackets.",
        *(_markdown(one) for one in merged.classes),
    ]
    return "\n\n".join(blocks) + "\n"


def page(merged: MergedReport, template: Callable[[str], str]) -> str:
    """The same as one HTML page that needs nothing else. `template`: as for `html.page`."""
    values = {
        "summary": summary(merged),
        "heads": [heading(one) for one in COLUMNS],
        "kinds": [
            {
                "title": title(one.machine),
                "pcs": one.pcs,
                "notes": one.notes,
                "groups": [_for_page(group, programs) for group, programs in groups(one).items()],
            }
            for one in merged.classes
        ],
    }
    return rendered("bench-many.html", values, template)


def summary(merged: MergedReport) -> str:
    """How many PCs of how many kinds."""
    pcs, kinds = sum(one.pcs for one in merged.classes), len(merged.classes)
    return f"{pcs} PC{'s' * (pcs != 1)} of {kinds} kind{'s' * (kinds != 1)}."


def title(machine: MachineClass) -> str:
    """ "Intel Core i5-8500, 6 cores, 16 GB"."""
    parts = [machine.processor, f"{machine.cores} cores", machine.memory, machine.graphics]
    return ", ".join(filter(None, parts))


def groups(found: ClassReport) -> dict[Group, Programs]:
    """The rows of one kind of PC, those together that may be compared."""
    made: dict[Group, Programs] = {}
    for row in found.rows:
        group = Group(row.scenario, row.version, row.model, row.model_sha256)
        made.setdefault(group, {}).setdefault(row.variant, {})[row.metric] = row
    return made


def _markdown(found: ClassReport) -> str:
    parts = [f"## {escaped(title(found.machine))}", f"{found.pcs} PC{'s' * (found.pcs != 1)}"]
    for group, programs in groups(found).items():
        rows = [
            [escaped(name), *(_one_line(_cell(by.get(metric))) for metric in COLUMNS)]
            for name, by in programs.items()
        ]
        parts.append(f"### {escaped(group.title)}")
        parts.append(escaped(f"{group.model} {group.model_sha256[:12]}"))
        parts.append(table(["", *(heading(one) for one in COLUMNS)], rows))
    parts.append("\n".join(f"- {escaped(one)}" for one in found.notes))
    return "\n\n".join(filter(None, parts))


def _one_line(cell: Cell) -> str:
    said = f"{cell.value} ({cell.between})" if cell.between else cell.value
    return f"{said}<br>{cell.ratio} × ({escaped(cell.base)})" if cell.ratio else said


def _for_page(group: Group, programs: Programs) -> dict[str, Any]:
    return {
        "title": group.title,
        "model": f"{group.model} {group.model_sha256[:12]}",
        "rows": [
            (name, [_cell(by.get(metric)) for metric in COLUMNS]) for name, by in programs.items()
        ],
        "plots": [found for one in PLOTTED if (found := _plot(programs, one)) is not None],
    }


def _plot(programs: Programs, metric: Metric) -> Plot | None:
    series = [
        Series(
            name=name,
            points=tuple((one, True) for one in by[metric].pcs) if metric in by else (),
            value=by[metric].value if metric in by else None,
        )
        for name, by in programs.items()
    ]
    return drawn(metric, series)


def _cell(row: MergedRow | None) -> Cell:
    if row is None:
        return Cell()
    scale = LOOKS[row.metric].scale
    least, most = number(row.pcs[0] * scale), number(row.pcs[-1] * scale)
    return Cell(
        value=number(row.value.median * scale),
        between="" if least == most else f"{least} to {most}",
        ratio=times(row.ratio.median) if row.ratio else "",
        base=row.base if row.ratio else "",
    )
