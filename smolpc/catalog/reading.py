"""From YAML text to checked values, with errors that name the file, the line and the key."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec

from smolpc.errors import UsageError

T = TypeVar("T")
Trail = tuple[str | int, ...]  # keys and indexes from the top of the file

UNKNOWN = re.compile(r"^Object contains unknown field `(.+)`$")
BAD_WORD = re.compile(r"^Invalid (?:enum )?value '(.+)'$")
UNQUOTED = re.compile(r"^Expected `str(?: \| null)?`, got `(?:bool|int|float)`$")
STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ "; did you mean 'match'?", or nothing when no known word is close. Case is ignored."""
    spelled = {one.lower(): one for one in known}
    close = difflib.get_close_matches(word.lower(), list(spelled), n=1)
    return f"; did you mean '{spelled[close[0]]}'?" if close else ""


@functools.cache
def _loader() -> Any:
    """The safe YAML loader (libyaml's where there is one) that refuses a key given twice."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                if isinstance(key.value, str) and key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key '{key.value}' is given twice", key.start_mark
                    )
                seen.add(str(key.value))
            return super().construct_mapping(node, deep)

    return Loader


def fail(path: Path, what: str, *, line: int | None = None, why: str = "") -> NoReturn:
    place = f"{path}:{line}" if line else str(path)
    raise UsageError(f"{place}: {what}", why=why, next_step=f"edit {path}")


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises UsageError with the line."""
    import yaml

    try:
        data = yaml.load(path.read_bytes(), _loader())  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        fail(path, str(error.problem), line=line)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        fail(path, "is not YAML text", why=" ".join(str(error).split()))
    if not isinstance(data, dict):
        fail(path, "must hold 'key: value' lines", line=1)
    return data


def convert(data: dict[str, Any], kind: type[T], path: Path) -> T:
    """`data`, read from `path`, as a struct. Raises UsageError with line, key and a hint."""
    try:
        value = msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        _explain(str(error), data, kind, path)
    if getattr(value, "name", path.stem) != path.stem:
        fail(
            path,
            f"the name '{value.name}' differs from the file name",  # type: ignore[attr-defined]
            line=line_of(path, ("name",)),
            why="a file is found by its name",
        )
    return value


def line_of(path: Path, trail: Trail) -> int:
    """The line (from 1) of the deepest part of `trail` that the file holds."""
    import yaml

    node: Any = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    line: int = node.start_mark.line + 1
    for step in trail:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(step)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line


def _explain(message: str, data: Any, kind: Any, path: Path) -> NoReturn:
    """Raise the UsageError for one message of msgspec, such as
    "Object contains unknown field `matc` - at `$.build`"."""
    problem, _, place = message.partition(" - at `$")
    trail, found = _descend(place.rstrip("`"), data, msgspec.inspect.type_info(kind))
    where = f"'{'.'.join(map(str, trail))}'" if trail else f"'{path.stem}'"
    if match := UNKNOWN.match(problem):
        key = match[1]
        known = [field.encode_name for field in getattr(found, "fields", ())]
        what = f"unknown key '{key}' in {where}{did_you_mean(key, known)}"
        trail = (*trail, key)
    elif match := BAD_WORD.match(problem):
        words = [str(word) for word in getattr(found, "values", ())]
        what = f"'{match[1]}' is not allowed for {where}{did_you_mean(match[1], words)}"
        what += f" (allowed: {', '.join(words)})" if words else ""
    elif UNQUOTED.match(problem):
        what = f"{where} must be text: put the value in quotes"
    else:
        what = f"{where}: {problem}"
    fail(path, what, line=line_of(path, trail))


def _descend(place: str, data: Any, info: Any) -> tuple[Trail, Any]:
    """Follow msgspec's place (".sources[0].kind") through the data and its type. Where it
    says "[...]" (some value of a mapping), find the value that does not convert."""
    trail: list[str | int] = []
    for name, index in STEP.findall(place):
        union, info = info, _alternative(info, data)
        step: Any = name or (int(index) if index.isdigit() else _bad_key(data, info))
        if step is None:
            break
        if isinstance(info, msgspec.inspect.StructType) and step == info.tag_field:
            return (*trail, step), msgspec.inspect.LiteralType(_tags(union))
        info = _child(info, step)
        data = data[step] if isinstance(data, dict | list) else None
        trail.append(step)
    return tuple(trail), _alternative(info, data)


def _alternative(info: Any, data: Any) -> Any:
    """The member of a union that `data` was meant to be."""
    if not isinstance(info, msgspec.inspect.UnionType):
        return info
    structs = [kind for kind in info.types if isinstance(kind, msgspec.inspect.StructType)]
    for kind in structs:
        if isinstance(data, dict) and kind.tag and data.get(kind.tag_field) == kind.tag:
            return kind
    return next(kind for kind in info.types if not isinstance(kind, msgspec.inspect.NoneType))


def _tags(info: Any) -> tuple[str, ...]:
    """The words that tell the structs of a union apart."""
    kinds = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    return tuple(str(kind.tag) for kind in kinds if isinstance(kind, msgspec.inspect.StructType))


def _child(info: Any, step: str | int) -> Any:
    if isinstance(info, msgspec.inspect.StructType):
        return next(field.type for field in info.fields if field.encode_name == step)
    if isinstance(info, msgspec.inspect.DictType):
        return info.value_type
    return info.item_type


def _bad_key(data: dict[str, Any], info: Any) -> str | None:
    return next((key for key, value in data.items() if not _fits(value, info.value_type)), None)


def _fits(value: Any, info: Any) -> bool:
    """Whether a value of a mapping converts. Values here are structs, mappings or text."""
    if isinstance(info, msgspec.inspect.StructType):
        try:
            msgspec.convert(value, info.cls)
        except msgspec.ValidationError:
            return False
        return True
    if isinstance(info, msgspec.inspect.DictType):
        return isinstance(value, dict) and all(_fits(v, info.value_type) for v in value.values())
    pattern = getattr(info, "pattern", None) or ""
    return isinstance(value, str) and re.search(pattern, value) is not None
