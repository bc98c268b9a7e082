"""`doctor`: what is fine, what is missing, and the command that fixes it."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console

MARKS = {"ok": "✓", "note": "!", "missing": "✗"}


@command()
def doctor(console: Console, json: bool = False) -> None:
    """Check this machine: what was found, what is missing, what fixes it."""
    from invoke.exceptions import Exit

    from smolpc import settings
    from smolpc.errors import PrerequisiteError
    from smolpc.provision.doctor import examine
    from smolpc.provision.target import host_for
    from smolpc.schema.report import DoctorReport

    chosen, _ = settings.load()
    findings = examine(chosen, host_for(chosen, refresh=True))
    ready = all(item.state != "missing" for item in findings)
    if json:
        console.emit(DoctorReport(ready=ready, findings=findings))
    for item in findings:
        console.print(f"{MARKS[item.state]} {item.subject}: {item.found}")
        if item.cost:
            console.print(f"    cost: {item.cost}")
        if item.fix:
            console.print(f"    fix:  {item.fix}")
    if not ready:
        raise Exit(code=PrerequisiteError.code)
