"""`build`: only the engine, for this machine or for a named profile."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console, human_seconds


@command(help={"profile": "hardware profile by name (default: the best that fits)"})
def build(console: Console, profile: str = "", json: bool = False) -> None:
    """Build the engine and store it, without a model and without using it."""
    import time

    from smolpc import settings
    from smolpc.provision.run import provision_best
    from smolpc.schema.report import BuildReport
    from smolpc.store import Store

    chosen, _ = settings.load({"profile": profile})
    start = time.monotonic()
    store = Store(chosen.store_path)
    plan, _ = provision_best(chosen, with_model=False, reporter=console.reporter)
    report = BuildReport(
        key=plan.key,
        profile=plan.profile,
        path=str(store.artifact(plan.key)),
        built=bool(plan.to_do),
        seconds=round(time.monotonic() - start, 3),
    )
    if json:
        console.emit(report)
    done = f"built in {human_seconds(report.seconds)}" if report.built else "already built"
    console.print(f"{plan.profile}: {done}\n  {report.path}")
