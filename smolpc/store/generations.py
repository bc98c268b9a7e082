"""Generations: each successful setup leaves one; `current` names the one that `run` uses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from smolpc import files
from smolpc.errors import PrerequisiteError
from smolpc.schema.artifact import Generation
from smolpc.schema.base import canonical_json
from smolpc.store.layout import Store


def _path(store: Store, number: int) -> Path:
    return store.generations / f"{number}.json"


def _read(store: Store, number: int) -> Generation | None:
    """A generation, or None where it is absent or cannot be read: a setup makes a new one."""
    try:
        return msgspec.json.decode(_path(store, number).read_bytes(), type=Generation)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None


def all_generations(store: Store) -> list[Generation]:
    """Every readable generation, oldest first."""
    found = (_read(store, number) for number in sorted(_numbers(store)))
    return [generation for generation in found if generation is not None]


def _numbers(store: Store) -> list[int]:
    names = [path.stem for path in store.generations.glob("*.json")]
    return [int(name) for name in names if name.isdecimal()]


def current(store: Store) -> Generation | None:
    """The generation in use, or None before the first setup."""
    try:
        return _read(store, int((store.generations / "current").read_text()))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def require_current(store: Store) -> Generation:
    """The generation in use. Raises PrerequisiteError before the first setup."""
    found = current(store)
    if found is None:
        raise PrerequisiteError(
            "nothing is set up yet",
            why=f"the store {store.root} has no generation",
            next_step="smolpc setup",
        )
    return found


def commit(
    store: Store,
    *,
    profile: str,
    artifact: str,
    model: str,
    model_name: str,
    notes: tuple[str, ...],
) -> Generation:
    """Record a new generation and make it current; the same content again makes none."""
    with files.lock(store.lock_file("generations"), timeout=30):
        before = current(store)
        number = max(_numbers(store), default=0) + 1
        made = Generation(
            number=number,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            profile=profile,
            artifact=artifact,
            model=model,
            model_name=model_name,
            notes=notes,
        )
        if before is not None and (
            msgspec.structs.replace(before, number=number, created=made.created) == made
        ):
            return before
        files.write_atomic(_path(store, number), canonical_json(made))
        files.write_atomic(store.generations / "current", str(number).encode())
    return made
