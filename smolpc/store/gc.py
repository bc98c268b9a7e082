"""Garbage collection: remove what no generation, pin or running process needs."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from smolpc import files
from smolpc.errors import BusyError, TrustError
from smolpc.schema.base import Value, canonical_json
from smolpc.schema.report import Garbage
from smolpc.store import artifacts, generations
from smolpc.store.layout import Store

IDLE = 3600  # seconds


class Use(Value, kw_only=True):
    """A process that runs an artifact."""

    pid: int
    started: float  # of the process, seconds since the epoch
    artifact: str
    model: str


def _process_start(pid: int) -> float | None:
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


@contextlib.contextmanager
def in_use(store: Store, artifact: str, model: str) -> Iterator[None]:
    """Keep the artifact and the model from the collector while this process runs them."""
    me = os.getpid()
    note = store.in_use / f"{me}-{time.monotonic_ns()}.json"
    use = Use(pid=me, started=_process_start(me) or 0, artifact=artifact, model=model)
    try:
        files.write_atomic(note, canonical_json(use))
    except PermissionError:  # a store shared read-only: nobody can collect it either
        yield
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


def _free(store: Store, name: str) -> bool:
    """Whether nobody holds the lock `name` right now."""
    try:
        with files.lock(store.lock_file(name), timeout=0):
            return True
    except BusyError:
        return False


def _idle(path: Path) -> bool:
    """Whether nothing was written here for an hour: a download may still be running."""
    inside = [item.lstat().st_mtime for item in files.walk(path)] if path.is_dir() else []
    return time.time() - max([path.lstat().st_mtime, *inside]) > IDLE


def _unsound(root: Path) -> bool:
    try:
        artifacts.open_verified(root)
    except (TrustError, msgspec.MsgspecError):
        return True
    return False


def collectable(store: Store, *, keep: int, damaged: bool = False) -> list[Garbage]:
    """What may be removed. `keep` is the number of generations before the current one
    that stay usable; `damaged` also hashes every artifact and lists the broken ones.
    A complete model is never garbage: somebody waited for that download."""
    current = generations.current(store)
    known = generations.all_generations(store)
    kept = [item for item in known if current and item.number > current.number - keep - 1]
    uses = _live_uses(store)
    needed = {item.artifact for item in kept} | {use.artifact for use in uses}
    garbage: list[tuple[Path, str]] = []
    for folder in sorted(path for path in store.artifacts.glob("*") if path.is_dir()):
        if folder.name.startswith(".deleting-"):
            garbage.append((folder, "a removal was interrupted"))
        elif damaged and _unsound(folder):
            garbage.append((folder, "a file was changed, or is missing"))
        elif folder.name not in needed:
            garbage.append((folder, "no kept generation uses this artifact"))
    for folder in sorted(store.models.glob(".*")):
        if folder.is_dir() and _idle(folder):
            garbage.append((folder, "an interrupted download or removal"))
    for area, why in (
        (store.tmp, "left by an interrupted run"),
        (store.work, "build tree of a finished or interrupted build"),
        (store.sources, "unpacked source; it can be unpacked again"),
        (store.downloads, "downloaded file; it is in the store or can be fetched again"),
    ):
        garbage += [(path, why) for path in sorted(area.glob("*")) if _idle(path)]
    return [Garbage(path=str(path), bytes=_size(path), why=why) for path, why in garbage]


def collect(store: Store, *, keep: int, damaged: bool = False) -> list[Garbage]:
    """Remove what `collectable` lists. Raises BusyError while a setup is running."""
    if not _free(store, "setup"):
        raise BusyError(
            "a setup is running in this store",
            why="its files must not be collected",
            next_step="wait for it, then run 'smolpc artifacts.gc' again",
        )
    with files.lock(store.lock_file("setup"), timeout=0):
        removed = collectable(store, keep=keep, damaged=damaged)
        for item in removed:
            files.remove_tree(Path(item.path))
    return removed
