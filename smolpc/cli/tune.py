"""`tune`: measure which settings are fastest here, and use them from then on."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console

MINUTES = 3.0


@command(
    first="model",
    help={
        "model": "an installed model by name (default: that of the last setup)",
        "minutes": f"how long to measure (default: {MINUTES:g}); a large model needs more",
        "kv_types": "also try a smaller cache, which changes the answers a little",
        "forget": "use the default settings again",
    },
    events=True,
)
def tune(
    console: Console,
    model: str = "",
    minutes: str = "",
    kv_types: bool = False,
    forget: bool = False,
    json: bool = False,
) -> None:
    """Measure which engine settings are fastest on this machine, and use them from then on."""
    from smolpc.cli.durations import seconds_of
    from smolpc.provision import running, tuning
    from smolpc.schema.registry_report import ForgetReport

    seconds = seconds_of(minutes, MINUTES, "smolpc tune")
    prepared = running.prepare({"model": model}, console.reporter)
    if forget:
        gone = tuning.forget(prepared)
        if json:
            console.emit(ForgetReport(name=prepared.record.name, removed=str(gone or "")))
        console.print(
            "The default settings are used again." if gone else "There is nothing to forget."
        )
        return
    report = tuning.tune(prepared, seconds=seconds, kv_types=kv_types, reporter=console.reporter)
    if json:
        console.emit(report)
    console.print(tuning.words(report))
