"""Results of `smolpc tune`: one file for each machine, engine and model."""

from __future__ import annotations

from pathlib import Path

import msgspec

from smolpc import files
from smolpc.schema.base import digest_of
from smolpc.schema.tuning import Tuned
from smolpc.store.layout import Store


def _file(store: Store, host: str, artifact: str, model: str) -> Path:
    return store.tuned / f"{digest_of([host, artifact, model])}.json"


def keep(store: Store, tuned: Tuned) -> Path:
    """Write the result; an older one for the same three is replaced."""
    path = _file(store, tuned.host, tuned.artifact, tuned.model)
    files.write_atomic(path, msgspec.json.format(msgspec.json.encode(tuned), indent=2))
    return path


def find(store: Store, host: str, artifact: str, model: str) -> Tuned | None:
    """What was measured, or None; also for a file that is damaged or of another version."""
    try:
        data = _file(store, host, artifact, model).read_bytes()
        found = msgspec.json.decode(data, type=Tuned)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found if (found.host, found.artifact, found.model) == (host, artifact, model) else None


def forget(store: Store, tuned: Tuned) -> Path:
    """Remove the result, so that the defaults count again; the file that is gone."""
    path = _file(store, tuned.host, tuned.artifact, tuned.model)
    path.unlink(missing_ok=True)
    return path
