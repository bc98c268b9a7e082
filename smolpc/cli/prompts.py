"""System prompts by name (`recipes/prompts/*.md`) or from a text file."""

from __future__ import annotations

from pathlib import Path

from smolpc.errors import UsageError
from smolpc.settings import Settings

LARGEST = 10_000_000  # bytes


def system_text(chosen: Settings, name: str) -> str:
    """The text of the prompt called `name`, or of the file at that path. Raises UsageError."""
    from smolpc.provision.target import catalog_for

    path = Path(name).expanduser()
    if not path.is_file():
        return catalog_for(chosen).prompt(name)
    if path.stat().st_size > LARGEST:
        raise UsageError(f"{path} is too large for a prompt", next_step="choose a text file")
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise UsageError(
            f"{path} cannot be read as text", why=str(error), next_step="save it as UTF-8 text"
        ) from error
