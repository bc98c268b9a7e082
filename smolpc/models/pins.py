"""Trust on first use: the digest of a model that no manifest pins is recorded when it first
arrives, in `<store>/pins/<name>.json`, and enforced from then on.

Needed for files without a digest, and for those whose digest rests on a single source: both
are accepted only when the user says so (`--allow-unpinned`).
"""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec

from smolpc import files
from smolpc.errors import TrustError, UsageError
from smolpc.net.places import shown
from smolpc.schema.base import Bytes, Sha256, Value
from smolpc.schema.model import FileSource, ModelManifest
from smolpc.store import Store


class Pin(Value, kw_only=True):
    """What the first download was. `source` names host and path only."""

    format: int = 1
    name: str
    sha256: Sha256
    size: Bytes
    source: str
    time: str  # ISO 8601, UTC


def path_of(store: Store, name: str) -> Path:
    return store.pins / f"{name}.json"


def is_pinned(store: Store, name: str) -> bool:
    """Whether a pin of that name is recorded."""
    return "/" not in name and "\\" not in name and path_of(store, name).is_file()


def find(store: Store, name: str) -> Pin | None:
    """The recorded pin, or None. Raises TrustError when its file is damaged: forgetting a pin
    is the user's decision."""
    path = path_of(store, name)
    try:
        pin = msgspec.json.decode(path.read_bytes(), type=Pin)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise TrustError(
            f"the recorded pin of the model {name} is damaged",
            why=f"{path}: {error}",
            next_step=f"smolpc models.unpin {name}",
        ) from error
    return pin


def pinned(manifest: ModelManifest, store: Store, *, allow: bool = False) -> ModelManifest:
    """The manifest with the digest that this store trusts.

    A manifest without a digest, or with one that is not confirmed, needs a pin of this store
    or `allow` (`--allow-unpinned`): then it is returned as it is, and `record` makes the pin
    when the file is here. Raises UsageError, and TrustError when the pin and the manifest
    contradict each other.
    """
    file = manifest.file
    pin = find(store, manifest.name)
    if pin is not None:
        if file.sha256 not in (None, pin.sha256):
            raise _other(manifest, pin, file.sha256 or "", "its manifest names another digest")
        known = msgspec.structs.replace(file, sha256=pin.sha256, size=pin.size)
        return msgspec.structs.replace(manifest, file=known)
    if allow or (file.sha256 is not None and not file.unverified):
        return manifest
    if manifest.file.sources and isinstance(manifest.file.sources[0], FileSource):
        raise UsageError(
            f"the file {manifest.short} is not in the store yet",
            why="nobody has hashed it",
            next_step=f"smolpc models.pull {manifest.typed}   (it hashes the file and links it)",
        )
    raise UsageError(
        f"the model {manifest.short} is not pinned: {_what_is_missing(manifest)}",
        why=file.unverified or "its manifest has no sha256",
        next_step=f"smolpc models.pull {manifest.typed} --allow-unpinned"
        "   (it trusts the first download and refuses any other from then on)",
    )


def _what_is_missing(manifest: ModelManifest) -> str:
    return "its digest is not known" if manifest.file.sha256 is None else "its digest is unsure"


def record(store: Store, manifest: ModelManifest, sha256: str, size: int, source: str) -> Pin:
    """Remember that this is the model. `source` is where it came from: its own source or the
    user's hub, never a mirror (`smolpc.models.places` asks none for such a model).

    Nothing is written when the same pin is there. Raises TrustError when the manifest or an
    earlier pin says otherwise; then the bytes must not be used.
    """
    if manifest.file.sha256 not in (None, sha256):
        expected = manifest.file.sha256 or ""
        raise TrustError(
            f"what came for the model {manifest.short} is not the file of its manifest",
            why=f"expected sha256 {expected}, got {sha256}",
            next_step="smolpc models.list",
        )
    with files.explain_os_errors(store.pins, "record a pin"), files.lock(store.lock_file("pins")):
        there = find(store, manifest.name)
        if there is not None:
            if there.sha256 != sha256:
                raise _other(manifest, there, sha256, "the file was replaced at its source")
            return there
        pin = Pin(
            name=manifest.name,
            sha256=sha256,
            size=size,
            source=shown(source),
            time=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )
        text = msgspec.json.format(msgspec.json.encode(pin), indent=2)
        files.write_atomic(path_of(store, manifest.name), text + b"\n")
    return pin


def forget(store: Store, name: str) -> bool:
    """Forget the pin of a model, so that another file may be trusted at the next pull.
    Returns whether there was one."""
    with files.explain_os_errors(store.pins, "forget a pin"), files.lock(store.lock_file("pins")):
        there = path_of(store, name).is_file()
        path_of(store, name).unlink(missing_ok=True)
    return there


def _other(manifest: ModelManifest, pin: Pin, sha256: str, why: str) -> TrustError:
    return TrustError(
        f"the model {manifest.short} is not the one that was trusted first",
        why=f"{why}: {sha256} instead of {pin.sha256},"
        f" recorded {pin.time} from {pin.source or 'this machine'}",
        next_step=f"smolpc models.unpin {manifest.typed}   (only if you know why it changed)",
    )
