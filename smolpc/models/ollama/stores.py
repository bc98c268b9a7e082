"""Where Ollama keeps its models on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from smolpc import files
from smolpc.errors import PrerequisiteError, UsageError

MANIFESTS, BLOBS = "manifests", "blobs"
VARIABLE = "OLLAMA_MODELS"
# In the order to look: the user's own (on Linux, macOS and Windows alike), then those of
# the system services that Ollama's installer, distributions and snap set up.
PLACES = (
    "~/.ollama/models",
    "/usr/share/ollama/.ollama/models",
    "/var/lib/ollama/models",
    "/var/lib/ollama/.ollama/models",
    "/var/snap/ollama/common/models",
)
LIST = "smolpc models.import-ollama --list"


def find(environ: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """Every store that is here, resolved, the one of $OLLAMA_MODELS first.

    Raises PrerequisiteError when one is here but may not be read, and none that may.
    """
    environ = os.environ if environ is None else environ
    found: list[Path] = []
    closed: list[Path] = []
    for place in dict.fromkeys(filter(None, (environ.get(VARIABLE, ""), *PLACES))):
        path = files.user_path(place)
        try:
            if _is_store(path) and path.resolve() not in found:
                found.append(path.resolve())
        except OSError:
            closed.append(path)
    if closed and not found:
        raise unreadable(closed[0])
    return tuple(found)


def _is_store(path: Path) -> bool:
    """Whether the folder holds what a store holds. Raises OSError where it cannot be read."""
    try:
        return {MANIFESTS, BLOBS} <= {entry.name for entry in path.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return False


def given(path: Path) -> Path:
    """The store that a user named. Raises UsageError when it is none."""
    folder = files.user_path(path)
    try:
        usable = _is_store(folder)
    except OSError as error:
        raise unreadable(folder) from error
    if not usable:
        raise UsageError(
            f"{folder} is not a model store of Ollama",
            why=f"such a folder holds '{MANIFESTS}' and '{BLOBS}'",
            next_step=f"{LIST} --store ~/.ollama/models",
        )
    return folder.resolve()


def require(path: str) -> tuple[Path, ...]:
    """The store `path`, or with "" every store that is here. Raises PrerequisiteError."""
    if path:
        return (given(Path(path)),)
    found = find()
    if not found:
        raise PrerequisiteError(
            "Ollama has no models on this machine",
            why=f"looked in ${VARIABLE}, {', '.join(PLACES)}",
            next_step=f"{LIST} --store /path/to/ollama/models",
        )
    return found


def manifests(store: Path) -> Iterator[tuple[tuple[str, str, str, str], Path]]:
    """The manifest files of a store, sorted: (host, namespace, model, tag) and the path.

    Links are not followed, hidden entries are not looked at. Raises PrerequisiteError.
    """
    for host in _entries(store / MANIFESTS, folders=True):
        for namespace in _entries(host, folders=True):
            for model in _entries(namespace, folders=True):
                for tag in _entries(model, folders=False):
                    yield (host.name, namespace.name, model.name, tag.name), tag


def _entries(folder: Path, *, folders: bool) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            kept = [
                entry.name
                for entry in entries
                if not entry.name.startswith(".")
                and not entry.is_symlink()
                and (entry.is_dir(follow_symlinks=False) if folders else True)
            ]
    except OSError as error:
        raise unreadable(folder) from error
    return [folder / name for name in sorted(kept)]


def unreadable(path: Path) -> PrerequisiteError:
    """Ollama's store, or something in it, may not be read by this user."""
    return PrerequisiteError(
        "Ollama's models may not be read by you",
        why=f"{path} belongs to another user, probably to the service that runs Ollama",
        next_step=f"ask whoever runs this PC for read permission, then: {LIST}"
        " (or name a store of your own with --store)",
    )
