"""Files that say which form an answer has: a grammar, or a JSON schema."""

from __future__ import annotations

from typing import Any

from smolpc import files
from smolpc.errors import UsageError


def grammar_of(path: str) -> str:
    """The GBNF text in the file; "" for no path. Raises UsageError."""
    return _text(path, "grammar") if path else ""


def schema_of(path: str) -> dict[str, Any] | None:
    """The JSON schema in the file; None for no path. Raises UsageError."""
    if not path:
        return None
    import json

    try:
        found = json.loads(_text(path, "json-schema"))
    except ValueError as error:
        raise UsageError(
            f"{path} is not valid JSON", why=str(error), next_step=f"edit {path}"
        ) from error
    if not isinstance(found, dict):
        raise UsageError(
            f"{path} is not a JSON schema",
            why='a schema is an object, such as {"type": "object"}',
            next_step=f"edit {path}",
        )
    return found


def _text(path: str, option: str) -> str:
    try:
        return files.user_path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not text in UTF-8", why=str(error), next_step="save it as UTF-8"
        ) from error
    except OSError as error:
        raise UsageError(
            f"cannot read {path}",
            why=error.strerror or str(error),
            next_step=f"smolpc run --{option} FILE …",
        ) from error
