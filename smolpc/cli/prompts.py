"""System prompts by name (`recipes/prompts/*.md`) or from a text file."""

from __future__ import annotations

import os

from smolpc import files
from smolpc.errors import UsageError
from smolpc.settings import Settings

LARGEST = 10_000_000  # bytes
SHOWN = 60  # characters of a wrong name


def system_text(chosen: Settings, name: str) -> str:
    """The text of the prompt called `name`, or of the file at that path. Raises UsageError."""
    from smolpc.provision.target import catalog_for

    path = files.user_path(name)
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises for a long text
        try:
            return catalog_for(chosen).prompt(name)
        except UsageError as error:
            raise UsageError(
                f"there is no system prompt '{name[:SHOWN]}{'…' * (len(name) > SHOWN)}'",
                why=f"it is no text file here, and no name of a prompt ({error.why})",
                next_step="write the prompt into a file: smolpc run --system FILE …",
            ) from error
    if path.stat().st_size > LARGEST:
        raise UsageError(f"{path} is too large for a prompt", next_step="choose a text file")
    try:
        return path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise UsageError(
            f"{path} cannot be read as text", why=str(error), next_step="save it as UTF-8 text"
        ) from error
