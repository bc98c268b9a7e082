"""What the store's disk space is used for, and what of the models may go."""

from __future__ import annotations

import shutil
from pathlib import Path

from smolpc import files
from smolpc.console import human_bytes
from smolpc.errors import UsageError
from smolpc.models import storage
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.report import Garbage
from smolpc.schema.storage_report import Area, StorageReport, StoredModel
from smolpc.store import Store, gc, generations

LOW = 10  # percent of the disk


def report(store: Store, machine: Path | None = None) -> StorageReport:
    """The whole store: what each part takes, each model, and the room on its disk. `machine`:
    the models folder that all users share."""
    disk = shutil.disk_usage(files.nearest(store.root))
    parts = (
        ("models", "models", _complete(store.models)),
        ("shared", f"models of all users, in {machine}", _complete(machine)),
        ("engines", "engines that were built here", [store.artifacts]),
        ("downloads", "unfinished downloads", [store.downloads, *store.models.glob(".*")]),
        ("sources", "engine source, unpacked; it can be fetched again", [store.sources]),
        ("tools", "build tools that were fetched", [store.tools]),
        ("work", "build trees and temporary files", [store.work, store.tmp]),
        ("logs", "build logs", [store.logs]),
    )
    return StorageReport(
        root=str(store.root),
        disk_total=disk.total,
        disk_used=disk.used,
        disk_free=disk.free,
        low=disk.free * 100 < disk.total * LOW,
        areas=tuple(
            Area(name=name, what=what, bytes=sum(map(_bytes, folders)))
            for name, what, folders in parts
        ),
        models=tuple(_stored(store, record) for record in storage.installed(store.models)),
    )


def low_space(store: Store) -> str:
    """A sentence when less than a tenth of the store's disk is free, else ""."""
    disk = shutil.disk_usage(files.nearest(store.root))
    if disk.free * 100 >= disk.total * LOW:
        return ""
    return (
        f"less than {LOW} % of the disk is free ({human_bytes(disk.free)});"
        " smolpc models.storage shows what uses it"
    )


def _complete(models: Path | None) -> list[Path]:
    return [path for path in models.glob("*") if path.name[0] != "."] if models else []


def _bytes(path: Path) -> int:
    """Bytes on the disk: unfinished files have holes, links take nothing."""
    inside = files.walk(path) if path.is_dir() else [path] if path.is_file() else []
    return sum(files.allocated(item) for item in inside if not item.is_symlink())


def _used(store: Store, record: ModelRecord) -> str:
    now = generations.current(store)
    if now is not None and now.model == record.sha256:
        return "the current setup"
    known = generations.all_generations(store)
    numbers = [str(item.number) for item in known if item.model == record.sha256]
    return f"earlier setup {', '.join(numbers)}" if numbers else ""


def _stored(store: Store, record: ModelRecord) -> StoredModel:
    path = storage.path_of(store.models, record)
    shared = path.is_symlink() or path.stat().st_nlink > 1
    return StoredModel(
        name=record.name,
        sha256=record.sha256,
        bytes=record.size,
        own_bytes=0 if shared else record.size,
        used=_used(store, record),
        path=str(path),
    )


def remove(
    store: Store, record: ModelRecord, *, force: bool = False, dry_run: bool = False
) -> Garbage:
    """Delete one model. One that a setup uses needs `force`. Raises UsageError."""
    model = _stored(store, record)
    if model.used and not force:
        raise UsageError(
            f"the model {record.name} is in use",
            why=f"{model.used} runs it",
            next_step=f"smolpc models.remove {record.name} --force"
            "   (or first: smolpc setup --model ANOTHER)",
        )
    if not dry_run:
        storage.remove(store.models, record)
    why = record.name if model.own_bytes else f"{record.name}: a link, its file is shared"
    return Garbage(path=model.path, bytes=model.own_bytes, why=why)


def prunable(store: Store, *, unused: bool = False) -> list[Garbage]:
    """Leftovers of interrupted downloads and removals, models whose file is gone or has
    another size; with `unused` also the models that no setup uses."""
    found = gc.model_leftovers(store)
    for folder in sorted(store.models.glob("*")):
        if storage.SHA256.fullmatch(folder.name) and folder.is_dir():
            why = _useless(store, folder.name, unused=unused)
            if why:
                found.append(Garbage(path=str(folder), bytes=_bytes(folder), why=why))
    return found


def _useless(store: Store, sha256: str, *, unused: bool) -> str:
    """Why the model's folder may go; "" when it may not."""
    record = storage.find(store.models, sha256)
    if record is None:
        return "not a complete model"
    if not storage.has_size(store.models, record):
        return "the file is not as long as it was"
    if storage.is_damaged(record):
        return "its bytes are not those that were stored"
    return f"no setup uses {record.name}" if unused and not _used(store, record) else ""


def prune(store: Store, *, unused: bool = False) -> list[Garbage]:
    """Remove what `prunable` lists, and return what went; a pull at work is left alone."""
    listed = prunable(store, unused=unused)
    folders = [item for item in listed if storage.SHA256.fullmatch(Path(item.path).name)]
    removed = gc.remove_all(store, [item for item in listed if item not in folders])
    for item in folders:
        path = Path(item.path)

        def still(sha256: str = path.name) -> bool:
            return bool(_useless(store, sha256, unused=unused))

        if gc.remove_if(store, path, still):
            removed.append(item)
    return removed
