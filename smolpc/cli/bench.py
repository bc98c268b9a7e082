"""`bench.*`: what this machine can do, measured."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console, human_bytes
from smolpc.schema.limit import Limit, LimitReport

STAGES = {"decode": "write an answer", "prefill": "read a prompt"}


@command(
    first="model",
    help={"model": "an installed model by name (default: that of the last setup)"},
    events=True,
)
def limit(console: Console, model: str = "", json: bool = False) -> None:
    """Measure how fast a model could be on this machine at most, whatever runs it."""
    from smolpc.bench.limit import limit as measure
    from smolpc.provision import running

    prepared = running.prepare({"model": model}, console.reporter)
    report = measure(prepared, console.reporter)
    if json:
        console.emit(report)
    show(console, report)


def show(console: Console, report: LimitReport) -> None:
    """The report for people: the peaks, a table of limits, one sentence, what to know."""
    memory, matrices = report.memory, report.matrices
    console.print(f"{report.model}, {human_bytes(report.weights)} of weights\n")
    console.print(
        f"memory    {memory.best / 1e9:.1f} GB/s (median {memory.median / 1e9:.1f},"
        f" {memory.threads} threads read {human_bytes(memory.buffer)})"
    )
    console.print(
        f"float32   {matrices.best / 1e9:.0f} Gop/s (median {matrices.median / 1e9:.0f},"
        f" {matrices.library or 'numpy'}, {matrices.cores:g} cores)"
    )
    console.print(f"quantized {report.integer.operations / 1e9:.0f} Gop/s (derived)\n")
    console.table(
        ("", "context before", "at most, tokens/s", "limited by", "memory", "arithmetic"),
        [row(one) for one in report.limits],
    )
    console.print(f"\n{report.sentence}")
    for note in report.notes:
        console.print(f"note: {note}")


def row(limit: Limit) -> tuple[str, ...]:
    """One line of the table; times are for one token."""
    from smolpc.bench.limit.words import number

    return (
        STAGES[limit.work.stage],
        str(limit.work.depth),
        number(limit.rate),
        limit.limited_by,
        f"{limit.memory_seconds * 1e3:.3g} ms",
        f"{limit.arithmetic_seconds * 1e3:.3g} ms",
    )
