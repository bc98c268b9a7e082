"""`run --explain`: the settings a model would run with, and why, as tables."""

from __future__ import annotations

from collections.abc import Sequence

from smolpc.console import Console, human_bytes
from smolpc.schema.running_report import ExplainReport, Reason


def show(console: Console, report: ExplainReport, notes: Sequence[str] = ()) -> None:
    """The report for people."""
    running = report.running
    console.print(
        f"{report.model}: {human_bytes(report.weights)} of weights,"
        f" trained for {report.trained_context or '?'} tokens\n"
    )
    _table(console, running.reasons)
    console.print()
    _table(console, report.sampling_reasons)
    console.print(f"\n{running.choice.why}")
    for need in running.choice.needs:
        console.print(
            f"{need.device}: takes {human_bytes(need.needs)} of {human_bytes(need.has)} free"
        )
    for note in (*notes, *running.notes):
        console.print(f"note: {note}")
    console.print("\nChange one: smolpc config.set NAME VALUE   (smolpc config.show: all of them)")


def _table(console: Console, reasons: Sequence[Reason]) -> None:
    rows = [
        (one.setting, str(one.value), one.origin, one.why) for one in reasons if one.value != ""
    ]
    console.table(("setting", "value", "from", "why"), rows)
