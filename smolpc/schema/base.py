"""What all structs share."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, kw_only_default=True)  # for type checkers
class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An immutable value. Sequences are tuples, so a value can be hashed and shared."""


# `$(?!\\n)`: in Python `$` alone also matches before a newline at the end.
Sha256 = Annotated[
    str, msgspec.Meta(pattern="^[0-9a-f]{64}$(?!\n)", description="sha256, lower-case hex")
]
Commit = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{40}$(?!\n)", description="git commit id")]
Name = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9][a-z0-9._-]*$(?!\n)",
        description="lower-case letters, digits, '.', '_', '-'",
    ),
]
Version = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+(\.[0-9]+)*$")]
Bytes = Annotated[int, msgspec.Meta(ge=0, description="bytes")]


def canonical_json(value: Any) -> bytes:
    """The one JSON text of a value: sorted keys, no white space, UTF-8."""
    return msgspec.json.encode(msgspec.to_builtins(value), order="deterministic")


def digest_of(value: Any) -> str:
    """sha256 (hex) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def without_defaults(value: Any) -> Any:
    """Builtin values of a struct, for people: fields that have their default are left out."""
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        tag = {config.tag_field: config.tag} if config.tag_field else {}
        held = {one.name: getattr(value, one.name) for one in msgspec.structs.fields(value)}
        return tag | {
            one.name: without_defaults(held[one.name])
            for one in msgspec.structs.fields(value)
            if one.required or held[one.name] != one.default
        }
    if isinstance(value, tuple):
        return [without_defaults(item) for item in value]
    if isinstance(value, dict):
        return {key: without_defaults(item) for key, item in value.items()}
    return value
