"""Garbage collection: remove what no generation, pin or running process needs."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from smolpc import files
from smolpc.errors import BusyError, TrustError
from smolpc.schema.base import Value, canonical_json
from smolpc.schema.report import Garbage
from smolpc.store import artifacts, generations
from smolpc.store.layout import Store

IDLE = 3600  # seconds
NEW = 24 * 3600  # seconds in which an engine that no setup uses yet is kept
KEPT_TOOLS = "convert-"  # gigabytes that are installed only when asked for
SCRATCH = (".quantizing-", ".converting-")
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC)


class Use(Value, kw_only=True):
    """A process that runs an artifact."""

    pid: int
    started: float  # of the process, seconds since the epoch
    artifact: str


def _process_start(pid: int) -> float | None:
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


@contextlib.contextmanager
def in_use(store: Store, artifact: str) -> Iterator[None]:
    """Keep the artifact from the collector while this process runs them."""
    me = os.getpid()
    note = store.in_use / f"{me}-{time.monotonic_ns()}.json"
    use = Use(pid=me, started=_process_start(me) or 0, artifact=artifact)
    try:
        files.write_atomic(note, canonical_json(use))
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise
        yield  # a store shared read-only, or full: a run must work all the same
        return
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def _live_uses(store: Store) -> list[Use]:
    live = []
    for path in store.in_use.glob("*.json"):
        try:
            use = msgspec.json.decode(path.read_bytes(), type=Use)
        except (FileNotFoundError, msgspec.MsgspecError):
            continue
        started = _process_start(use.pid)
        if started is not None and abs(started - use.started) < 2:
            live.append(use)
        else:
            path.unlink(missing_ok=True)
    return live


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(item.lstat().st_size for item in files.walk(path))


def _free(lock: Path) -> bool:
    """Whether nobody holds the lock right now."""
    try:
        with files.lock(lock, timeout=0):
            return True
    except BusyError:
        return False


def _being_pulled(store: Store, name: str) -> bool:
    """Whether a pull works in the folder `<sha256>` or `.incoming-<sha256>`."""
    lock = _pull_lock(store, name)
    return lock.exists() and not _free(lock)


def _pull_lock(store: Store, name: str) -> Path:
    return store.models / f"{name.removeprefix('.incoming-')}.lock"


def _recent(folder: Path) -> bool:
    """Whether the engine was finished less than a day ago: its setup may still complete."""
    sentinel = folder / artifacts.SENTINEL
    return sentinel.exists() and time.time() - sentinel.stat().st_mtime < NEW


def _idle(path: Path) -> bool:
    """Whether nothing was written here for an hour: a download may still be running."""
    inside = [item.lstat().st_mtime for item in files.walk(path)] if path.is_dir() else []
    return time.time() - max([path.lstat().st_mtime, *inside]) > IDLE


def _collectable(store: Store, path: Path) -> bool:
    """Whether nobody is at work on this leftover."""
    return _idle(path) and not _being_pulled(store, path.name)


def _unsound(store: Store, root: Path) -> bool:
    try:
        artifacts.open_verified(root)
    except TrustError:
        artifacts.seen_file(store, root.name).unlink(missing_ok=True)
        return True
    return False


def collectable(store: Store, *, keep: int, damaged: bool = False) -> list[Garbage]:
    """What may be removed. `keep` is the number of generations before the current one
    that stay usable; `damaged` also hashes every artifact and lists the broken ones.
    A complete model is never garbage: somebody waited for that download."""
    current = generations.current(store)
    known = generations.all_generations(store)
    # Without a current generation nobody knows what is in use: all of them are kept.
    oldest = current.number - max(0, keep) if current else 0
    kept = [item for item in known if item.number >= oldest]
    uses = _live_uses(store)
    needed = {item.artifact for item in kept} | {use.artifact for use in uses}
    garbage: list[tuple[Path, str]] = []
    for folder in sorted(path for path in store.artifacts.glob("*") if path.is_dir()):
        if folder.name.startswith(".deleting-"):
            garbage.append((folder, "a removal was interrupted"))
        elif damaged and _unsound(store, folder):
            garbage.append((folder, "a file was changed, or is missing"))
        elif folder.name not in needed and not _recent(folder):
            garbage.append((folder, "no kept generation uses this artifact"))
    garbage += [
        (path, "notes on an engine that was removed")
        for path in sorted(store.artifacts.glob("*.seen.json"))
        if not store.artifact(path.name.partition(".")[0]).exists()
    ]
    garbage += _interrupted(store, store.models, store.tools)
    for area, why in (
        (store.tmp, "left by an interrupted run"),
        (store.work, "build tree of a finished or interrupted build"),
        (store.sources, "unpacked source; it can be unpacked again"),
        (store.downloads, "downloaded file; it is in the store or can be fetched again"),
    ):
        garbage += [
            (path, why)
            for path in sorted(area.glob("*"))
            if _collectable(store, path) and path.suffix != ".lock"
        ]
    garbage += [
        (path, "fetched build tool; it can be fetched again")
        for path in sorted(store.tools.glob("[!.]*"))
        if _collectable(store, path) and not path.name.startswith(KEPT_TOOLS)
    ]
    return _listed(garbage)


def model_leftovers(store: Store) -> list[Garbage]:
    """What interrupted downloads, removals and other work on models left, where nobody is at
    work: all of it holds a lock, so it need not be old."""
    left: list[tuple[Path, str]] = []
    for path in sorted(store.downloads.glob("*")):
        if path.is_dir() and not _being_pulled(store, path.name):
            left.append((path, "an unfinished download"))
    for path in sorted(store.models.glob(".*")):
        locked = path.name.startswith((".incoming-", *SCRATCH))
        if path.is_dir() and (not _being_pulled(store, path.name) if locked else _idle(path)):
            left.append((path, "an interrupted download or removal"))
    return _listed(left)


@contextlib.contextmanager
def scratch(store: Store, prefix: str) -> Iterator[Path]:
    """A folder beside the models for work on one, safe from the collector; gone afterwards.
    `prefix` is one of SCRATCH."""
    with tempfile.TemporaryDirectory(dir=store.models, prefix=prefix) as name:
        lock = _pull_lock(store, Path(name).name)
        try:
            with files.lock(lock):
                yield Path(name)
        finally:
            lock.unlink(missing_ok=True)


def _interrupted(store: Store, *areas: Path) -> list[tuple[Path, str]]:
    return [
        (folder, "an interrupted download or removal")
        for area in areas
        for folder in sorted(area.glob(".*"))
        if folder.is_dir() and _collectable(store, folder)
    ]


def _listed(garbage: list[tuple[Path, str]]) -> list[Garbage]:
    return [Garbage(path=str(path), bytes=_size(path), why=why) for path, why in garbage]


def collect(store: Store, *, keep: int, damaged: bool = False) -> list[Garbage]:
    """Remove what `collectable` lists. Raises BusyError while a setup is running."""
    with files.lock(store.lock_file("setup"), timeout=0):
        return remove_all(store, collectable(store, keep=keep, damaged=damaged))


def remove_all(store: Store, garbage: list[Garbage]) -> list[Garbage]:
    """Remove what was listed, and return what really went: a pull may have begun meanwhile."""
    removed = []
    for item in garbage:
        path = Path(item.path)
        if path.parent not in (store.models, store.downloads):
            files.remove_tree(path)
        elif not remove_if(store, path, lambda: True):
            continue
        removed.append(item)
    return removed


def remove_if(store: Store, path: Path, still: Callable[[], bool]) -> bool:
    """Remove a folder of one model, unless a pull of it is at work or `still`, asked with the
    model's lock held, says no. Returns whether it was removed."""
    try:
        with files.lock(_pull_lock(store, path.name), timeout=0):
            if not path.exists() or not still():
                return False
            files.remove_tree(path)
            return True
    except BusyError:
        return False
