"""A history on a terminal: one table for each program and scenario, one line for each run."""

from __future__ import annotations

from smolpc.bench.report.figures import UNKNOWN, clean, heading, number, scaled, short
from smolpc.bench.report.grid import COLUMNS
from smolpc.console import Console
from smolpc.schema.bench import Metric
from smolpc.schema.bench_many import TrendPoint, TrendsReport

Runs = dict[str, dict[Metric, TrendPoint]]  # by id of the run, the oldest first


def show(console: Console, report: TrendsReport) -> None:
    """The runs and, at each, what changed since the run before."""
    tables: dict[str, Runs] = {}
    for trend in report.trends:
        version = f" (version {trend.version})" if trend.version > 1 else ""
        title = f"{trend.scenario}{version}, {trend.variant}, {trend.model}"
        if trend.metric in COLUMNS:
            runs = tables.setdefault(f"{title} {trend.model_sha256[:12]}", {})
            for point in trend.points:
                runs.setdefault(point.run, {})[trend.metric] = point
    for place, (title, runs) in enumerate(tables.items()):
        if place:
            console.print()
        console.print(clean(title))
        console.table(
            ["run", *(heading(one) for one in COLUMNS), "engine", "changed"],
            [_line(run, by_metric) for run, by_metric in runs.items()],
        )
    if not tables:
        console.print("No results yet: smolpc bench makes one.")
    for note in report.notes:
        console.print(f"note: {clean(note)}")


def _line(run: str, by_metric: dict[Metric, TrendPoint]) -> list[str]:
    point = next(iter(by_metric.values()))
    figures = [
        number(scaled(metric, by_metric[metric].value.median)) if metric in by_metric else UNKNOWN
        for metric in COLUMNS
    ]
    changes = dict.fromkeys(one for each in by_metric.values() for one in each.changes)
    return [clean(run), *figures, short(point.engine, 16), ", ".join(changes)]
