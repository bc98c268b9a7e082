"""`pull`: bring a model into the store, verified, whole, once.

Where it looks, in this order: the store; the folder that all users of this PC share; a file
on this machine that the manifest names; mirrors; the manifest's sources. What is on this
machine already is linked, not copied.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec

from smolpc import files, gguf
from smolpc.console import Reporter
from smolpc.errors import DoNotTrust, PrerequisiteError
from smolpc.models import access, pins, registry, storage
from smolpc.models.access import Access
from smolpc.models.adopt import adopt
from smolpc.models.fetch import Fetch, Follower
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.model import FileSource, ModelManifest
from smolpc.settings import Settings
from smolpc.store import Store


def pull(
    manifest: ModelManifest,
    store: Store,
    settings: Settings,
    *,
    reporter: Reporter,
    reach: Callable[[], Access] | None = None,
    allow_unpinned: bool = False,
) -> ModelRecord:
    """The record of the model, which is brought here first if it is not.

    `reach` (default: the machine's own, `access.load`) is called only when something must be
    fetched. Of concurrent pulls of one model one downloads, the others show its progress and
    find the work done. Raises UsageError for a licence or a missing digest that the user has
    not allowed, SpaceError with the missing amount before anything is fetched, NetworkError,
    or TrustError when the bytes are not the pinned ones.
    """
    registry.require_licence(manifest, settings.licenses)
    own = own_file(manifest)
    manifest = pins.pinned(manifest, store, allow=allow_unpinned or own is not None)
    if own is not None and manifest.file.sha256 is None:
        manifest = _hashed(manifest, own, reporter)
    there = _intact(manifest, store.models, reporter) or _local(manifest, store, settings, reporter)
    if there is None:
        reach = reach or (lambda: access.load(settings))
        there = _shared(manifest, store, settings, reach, reporter) or _fetched(
            manifest, store.models, store, reach, reporter
        )
    _pin(manifest, store, there)
    return there


def on_this_machine(
    manifest: ModelManifest, store: Store, settings: Settings, reporter: Reporter
) -> ModelRecord | None:
    """The record of a model that needs no network: it is in the store, in the folder that all
    users share, or a file of the user's own. The latter two are linked. Else None."""
    if own_file(manifest) is not None:
        return pull(manifest, store, settings, reporter=reporter)
    manifest = pins.pinned(manifest, store)
    return _intact(manifest, store.models, reporter) or _local(manifest, store, settings, reporter)


def own_file(manifest: ModelManifest) -> Path | None:
    """The file on this machine that the manifest is about: naming it is trusting it."""
    sources = manifest.file.sources
    if len(sources) == 1 and isinstance(sources[0], FileSource):
        return Path(sources[0].path)
    return None


def _hashed(manifest: ModelManifest, path: Path, reporter: Reporter) -> ModelManifest:
    """The manifest with the digest of the file as it is now. Raises TrustError when it is no
    model, UsageError when it is not there."""
    with gguf.local_file(path) as opened:
        gguf.read_header(opened)
    size = path.stat().st_size
    digest = files.sha256_shown(path, f"hash {path.name}", reporter)
    known = msgspec.structs.replace(manifest.file, sha256=digest, size=size)
    return msgspec.structs.replace(manifest, file=known)


def _pin(manifest: ModelManifest, store: Store, record: ModelRecord) -> None:
    """Hold the model to this digest from now on, if its manifest does not."""
    if manifest.file.unverified:
        pins.record(store, manifest, record.sha256, record.size, record.source)


def _intact(manifest: ModelManifest, models_dir: Path, reporter: Reporter) -> ModelRecord | None:
    if manifest.file.sha256 is None:
        return None
    return storage.intact(manifest.file.sha256, models_dir, reporter)


def _local(
    manifest: ModelManifest, store: Store, settings: Settings, reporter: Reporter
) -> ModelRecord | None:
    """The model from this machine's own disks, hashed on the way: from the folder that all
    users share, or the file that the manifest names. None where it is not, or not as pinned."""
    if manifest.file.sha256 is None:
        return None
    shared = access.machine_models(settings)
    record = storage.find(shared, manifest.sha256) if shared else None
    if shared is not None and record is not None:
        try:
            return _from_shared(manifest, shared, record, store, reporter)
        except DoNotTrust as error:
            reporter.note(f"{error}: another source is tried")
            with contextlib.suppress(PrerequisiteError):  # when only its owner may write there
                storage.mark_damaged(shared, record)
    for source in manifest.file.sources:
        if not isinstance(source, FileSource) or not Path(source.path).is_file():
            continue
        path = Path(source.path)
        try:
            return adopt(
                store.models, manifest, path, source.path, how="hard link", reporter=reporter
            )
        except DoNotTrust as error:
            reporter.note(f"{error}: another source is tried")
    return None


def _from_shared(
    manifest: ModelManifest, shared: Path, record: ModelRecord, store: Store, reporter: Reporter
) -> ModelRecord:
    """A link to the file that all users share, hashed on the way."""
    path = storage.path_of(shared, record)
    source = f"{record.source} (shared by all users of this PC)"
    return adopt(store.models, manifest, path, source, how="shared", reporter=reporter)


def _shared(
    manifest: ModelManifest,
    store: Store,
    settings: Settings,
    reach: Callable[[], Access],
    reporter: Reporter,
) -> ModelRecord | None:
    """Download into the folder that all users share, and link. None where there is no such
    folder, or this user may not write to it.

    Only with a digest: without one, a file that another user has put there could be trusted.
    """
    shared = access.machine_models(settings)
    if shared is None or manifest.file.sha256 is None:
        return None
    incoming = _incoming(shared, manifest)
    if not os.access(files.nearest(shared), os.W_OK | os.X_OK) or not files.is_mine(incoming):
        return None
    try:
        record = _fetched(manifest, shared, store, reach, reporter)
    except PrerequisiteError as error:
        reporter.note(f"{error}: the model goes into your own store")
        return None
    try:
        return _from_shared(manifest, shared, record, store, reporter)
    except DoNotTrust as error:  # it was there, with a record that says it is right
        reporter.note(f"{error}: the model goes into your own store")
        return None


def _incoming(models_dir: Path, manifest: ModelManifest) -> Path:
    return models_dir / f".incoming-{manifest.file.sha256 or manifest.name}"


def _fetched(
    manifest: ModelManifest,
    models_dir: Path,
    store: Store,
    reach: Callable[[], Access],
    reporter: Reporter,
) -> ModelRecord:
    name = manifest.file.sha256 or manifest.name
    incoming = _incoming(models_dir, manifest)
    with ExitStack() as stack:
        stack.enter_context(files.explain_os_errors(models_dir, f"store the model {manifest.name}"))
        follow = Follower(manifest, incoming, reporter)
        stack.enter_context(follow)
        stack.enter_context(
            files.lock(storage.lock_of(models_dir, name), on_wait=follow.begin, check=follow.check)
        )
        follow.end()
        there = _intact(manifest, models_dir, reporter)
        if there is not None:
            return there
        job = Fetch(manifest, models_dir, incoming, store.downloads / name, reach(), reporter)
        job.on_record = lambda record: _pin(manifest, store, record)
        return job.run()
