"""Change one line of a settings file; comments and all other lines stay as they are.

YAML's own parser says where a value begins and ends in the text. The new text is parsed again
before it is written: when it does not hold exactly the wanted change, nothing is written.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from smolpc import files
from smolpc.errors import PrerequisiteError, UsageError
from smolpc.settings.checks import checked, require_harmless
from smolpc.settings.layers import parse, read
from smolpc.settings.places import machine_file

MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
ENCODINGS = dict(zip(MARKS, ("utf-8-sig", "utf-16", "utf-16"), strict=True))


def set_value(path: Path, name: str, value: str, *, project: bool = False) -> Any:
    """Write `name: value` into the file, which is made if need be; return the checked value.

    Raises UsageError for an unknown name, a wrong value or a file that cannot be edited so,
    PrerequisiteError when it may not be written.
    """
    if project:
        require_harmless(name, value, path.name, f"smolpc config.set {name} VALUE")
    found = checked(name, value, "the command")
    _change(path, lambda text: _with(text, name, found), {**read(path), name: found})
    return found


def unset(path: Path, name: str) -> None:
    """Take `name` out of the file; nothing happens when it is not there. Errors: `set_value`."""
    wanted = dict(read(path))
    if name in wanted:
        del wanted[name]
        _change(path, lambda text: _without(text, name), wanted)


def _change(path: Path, edit: Callable[[str], str], wanted: Mapping[str, Any]) -> None:
    data = path.read_bytes() if path.exists() else b""
    encoding = next((name for mark, name in ENCODINGS.items() if data.startswith(mark)), "utf-8")
    text = edit(data.decode(encoding))
    try:
        fine = parse(text, path) == wanted
    except UsageError:
        fine = False
    if not fine:
        raise UsageError(
            f"{path} is written in a way that cannot be changed line by line",
            why="nothing was written; a file with one 'name: value' in a line can be",
            next_step=f"edit {path} yourself, then: smolpc config.show",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(path.resolve(), text.encode(encoding))
    except OSError as error:
        raise PrerequisiteError(
            f"cannot write {path}",
            why=error.strerror or str(error),
            next_step="ask an administrator, or leave out --machine to set it for yourself"
            if path == machine_file()
            else f"make {path.parent} writable, then run the same command again",
        ) from error


def _entries(text: str) -> dict[str, tuple[Any, Any]]:
    """The nodes of each name and its value; they know where they stand in the text."""
    import yaml

    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else ()
    return {str(key.value): (key, value) for key, value in pairs}


def _with(text: str, name: str, value: Any) -> str:
    written = _scalar(value)
    if (entry := _entries(text).get(name)) is not None:
        _, old = entry
        start, end = old.start_mark.index, old.end_mark.index
        space = "" if text[start - 1 : start].isspace() else " "
        return text[:start] + space + written + text[end:]
    newline = "\r\n" if "\r\n" in text else "\n"
    if text and not text.endswith("\n"):
        text += newline
    return f"{text}{name}: {written}{newline}"


def _without(text: str, name: str) -> str:
    key, value = _entries(text)[name]
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    end = value.end_mark.index
    if not text[:end].endswith("\n"):  # the rest of the line is its comment
        end = text.find("\n", end) + 1 or len(text)
    return text[:start] + text[end:]


def _scalar(value: Any) -> str:
    """The value as YAML writes it in one line."""
    import yaml

    text: str = yaml.safe_dump(value, allow_unicode=True, width=float("inf"))
    return text.removesuffix("...\n").strip("\n")
