"""Is this the name of a setting, and may it have this value?"""

from __future__ import annotations

import difflib
import re
from typing import Any, Literal, get_args, get_origin

import msgspec

from smolpc.errors import UsageError
from smolpc.schema.backends import ORDER, canonical
from smolpc.settings.known import AUTO, IN_PROJECT, NAMES_IN_PROJECT, SIZES, Settings
from smolpc.settings.sizes import size_of

FIELDS = {field.name: field for field in msgspec.structs.fields(Settings)}
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(:[A-Za-z0-9._-]+)?", re.ASCII)


def require_known(name: str, where: str) -> None:
    """Raise UsageError, with the name that was probably meant, for an unknown setting."""
    if name in FIELDS:
        return
    close = difflib.get_close_matches(name.lower().replace("-", "_"), FIELDS, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise UsageError(
        f"unknown setting '{name}' in {where}{hint}",
        why=f"settings are: {', '.join(FIELDS)}",
        next_step=_correct(where),
    )


def checked(name: str, value: Any, where: str) -> Any:
    """The value with the type of the setting. Raises UsageError that names `where` it stands."""
    require_known(name, where)
    field = FIELDS[name]
    kind = field.type
    if isinstance(value, str) and value.strip().lower() == AUTO:
        return field.default
    if get_origin(kind) is Literal and isinstance(value, bool):
        value = "on" if value else "off"  # what YAML makes of the words on and off
    if kind is str and isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    try:
        found = msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _wrong(name, value, where, _wanted(kind, str(error))) from error
    try:
        str(found).encode()
    except UnicodeEncodeError as error:
        raise _wrong(name, value, where, "it holds bytes that are no text in UTF-8") from error
    try:
        _read(name, found)
    except ValueError as error:
        raise _wrong(name, value, where, str(error)) from error
    return found


def _read(name: str, value: Any) -> None:
    """Raise ValueError for a text that its reader would not understand."""
    if name in SIZES:
        size_of(value)
    elif name == "backend":
        for word in value.replace(",", " ").split():
            if canonical(word) not in ORDER:
                known = f"backends are: {', '.join(ORDER)}, or {AUTO}"
                raise ValueError(f"there is no backend '{word}'; {known}")


def require_harmless(name: str, value: Any, where: str, command: str) -> None:
    """Raise UsageError for what a project file may not set. `command` sets it elsewhere."""
    require_known(name, where)
    if name not in IN_PROJECT:
        raise UsageError(
            f"a project file may not set '{name}', as {where} does",
            why="it comes with a folder that somebody else may have made; it may only set"
            f" {', '.join(one for one in FIELDS if one in IN_PROJECT)}",
            next_step=f"remove it there; if you want it yourself: {command}",
        )
    if name in NAMES_IN_PROJECT and not MODEL_NAME.fullmatch(str(value)):
        raise UsageError(
            f"a project file may only name a model, but '{name}' in {where} is {value!r}",
            why="a path or an address says where a model comes from, which is for you to say",
            next_step=f"remove it there; if you want it yourself: {command}",
        )


def _correct(where: str) -> str:
    if where in ("command line", "the command"):
        return "give another one   (all settings: smolpc config.show, docs/reference.md)"
    return f"correct it in {where} (settings: docs/reference.md)"


def _wrong(name: str, value: Any, where: str, why: str) -> UsageError:
    return UsageError(
        f"setting '{name}' in {where} has a wrong value: {value!r}",
        why=why,
        next_step=_correct(where),
    )


def _wanted(kind: Any, error: str) -> str:
    """What the setting takes, for people."""
    if kind is bool:
        return "it is true or false"
    if get_origin(kind) is Literal:
        return f"it is one of: {', '.join(get_args(kind))}"
    limits = next((one for one in get_args(kind) if isinstance(one, msgspec.Meta)), None)
    if limits is None:
        return error
    least = f"{limits.ge} or more" if limits.ge is not None else f"more than {limits.gt}"
    most = f", at most {limits.le}" if limits.le is not None else ""
    whole = "whole number" if get_args(kind)[0] is int else "number"
    also = " (-1: chosen for you)" if limits.ge == -1 else ""
    return f"it is a {whole}, {least}{most}{also}"
