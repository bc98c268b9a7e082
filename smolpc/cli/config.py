"""`config.show`, `config.set` and `config.unset`: settings, and where each came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolpc.cli.app import command
from smolpc.console import Console

if TYPE_CHECKING:
    from pathlib import Path

    from smolpc.schema.config_report import ConfigChange, Plain, Setting

WHERE = {
    "machine": "in the settings of all users of this PC",
    "project": "in .smolpc.yaml of the project (the nearest one, else here)",
}


@command(
    first="name",
    help={
        "name": "only this setting (default: all)",
        "model": "what counts when this model, which is on this machine, runs",
    },
)
def show(console: Console, name: str = "", model: str = "", json: bool = False) -> None:
    """Show every setting, its value and the file or variable that set it."""
    from smolpc import settings
    from smolpc.schema.config_report import ConfigReport
    from smolpc.settings.checks import require_known

    _, report = settings.load()
    if model:
        from smolpc.provision.running import settings_for

        _, report = settings_for(model)
    if name:
        require_known(name, "the command")
        report = tuple(item for item in report if item.name == name)
    files = settings.config_files()
    if json:
        paths = tuple(map(str, files))
        console.emit(ConfigReport(files=paths, model=model, settings=report))
    console.table(
        ("setting", "value", "from"),
        [(item.name, shown(item.value) or "-", origin(item)) for item in report],
    )
    console.print()
    console.print(
        "Change one: smolpc config.set NAME VALUE; for one command: SMOLPC_JOBS=2 smolpc …"
    )
    for path in files:
        console.print(f"  {path}{'' if path.exists() else '   (not there)'}")


@command(
    name="set",
    help={
        "name": "a setting (docs/reference.md lists them)",
        "value": "its value; 'auto' lets smolpc decide again, even where a weaker layer sets it",
        **WHERE,
    },
)
def set_(
    console: Console,
    name: str,
    value: str,
    machine: bool = False,
    project: bool = False,
    json: bool = False,
) -> None:
    """Write a setting into your settings file, or into that of the machine or the project."""
    from smolpc.settings import writing

    path = _file(machine=machine, project=project)
    _require_readable(name, value)
    before = _now(path, name)
    after = writing.set_value(path, name, value, project=project)
    _report(console, path, name, before, after, json)


@command(help={"name": "a setting", **WHERE})
def unset(
    console: Console, name: str, machine: bool = False, project: bool = False, json: bool = False
) -> None:
    """Take a setting out of a settings file, so that a weaker layer or the default counts."""
    from smolpc.settings import writing
    from smolpc.settings.checks import require_known

    path = _file(machine=machine, project=project)
    before = _now(path, name)
    if before is None:  # an unknown name in the file may be taken out
        require_known(name, "the command")
    writing.unset(path, name)
    _report(console, path, name, before, None, json)


def _require_readable(name: str, value: str) -> None:
    """Raise UsageError for a text that a download would refuse later."""
    from smolpc.settings.known import AUTO

    if name in ("quiet_hours", "download_limit") and value.strip().lower() != AUTO:
        from smolpc import net

        (net.QuietHours.parse if name == "quiet_hours" else net.parse_rate)(value)


def shown(value: Plain) -> str:
    """The value as it is written in a file."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def origin(item: Setting) -> str:
    """Where the value came from, and which weaker values it replaced."""
    over = [f"{shown(one.value) or '-'} from {one.layer}" for one in reversed(item.overridden)]
    return item.origin + (f"   (over {', '.join(over)})" if over else "")


def _file(*, machine: bool, project: bool) -> Path:
    from pathlib import Path

    from smolpc import settings
    from smolpc.errors import UsageError
    from smolpc.settings.places import PROJECT_FILE

    if machine and project:
        raise UsageError(
            "--machine and --project exclude each other",
            why="a setting is written into one file",
            next_step="smolpc --help config.set",
        )
    if machine:
        return settings.machine_file()
    if project:
        return settings.project_file() or Path.cwd() / PROJECT_FILE
    return settings.user_file()


def _now(path: Path, name: str) -> Plain | None:
    """The value in this file, as it stands there."""
    from smolpc.settings.layers import read

    value = read(path).get(name)
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _report(
    console: Console,
    path: Path,
    name: str,
    before: Plain | None,
    after: Plain | None,
    json: bool,
) -> None:
    from smolpc import settings
    from smolpc.schema.config_report import ConfigChange

    _, report = settings.load()
    effective = next((item for item in report if item.name == name), None)
    change = ConfigChange(
        file=str(path), name=name, before=before, after=after, effective=effective
    )
    if json:
        console.emit(change)
    console.print(_said(change))
    if effective is not None and (after is None or effective.origin != str(path)):
        console.print(f"what counts: {shown(effective.value) or '-'}, from {effective.origin}")


def _said(change: ConfigChange) -> str:
    if change.before is None and change.after is None:
        return f"{change.name} is not set in {change.file}: nothing changed"
    if change.after is None:
        return f"{change.name} was taken out of {change.file}"
    return f"{change.name}: {shown(change.after)}   (written to {change.file})"
