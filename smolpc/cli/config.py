"""`config.show`: the effective settings and where each came from."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console


@command()
def show(console: Console, json: bool = False) -> None:
    """Show every setting, its value and the file or variable that set it."""
    from smolpc import settings
    from smolpc.schema.report import ConfigReport

    _, report = settings.load()
    files = settings.config_files()
    if json:
        console.emit(ConfigReport(files=tuple(map(str, files)), settings=report))
    console.table(
        ("setting", "value", "from"),
        [(item.name, str(item.value) or "-", item.origin) for item in report],
    )
    console.print()
    console.print("Change one with an environment variable (SMOLPC_JOBS=2) or in a file:")
    for path in files:
        console.print(f"  {path}{'' if path.exists() else '   (not there)'}")
