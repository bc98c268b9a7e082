"""`adopt`: put a model file that is already on this machine into the store.

The bytes are shared where the disk allows it: a hard link, else a symbolic link, else a
copy. The original is never written to, renamed, or given other permissions; with a hard
link both names are the same file, so nothing in smolpc may ever change a stored model in
place (nothing does: a model is replaced by removing the name and making a new file).
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from smolpc import files
from smolpc.console import Reporter, Silent
from smolpc.errors import TrustError
from smolpc.models import storage
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.model import ModelManifest

# Why a link was not made: another disk, a file of another user (Linux' protected_hardlinks),
# a file system without links, too many of them. Everything else is an error.
NO_LINK = {
    errno.EXDEV,
    errno.EPERM,
    errno.EACCES,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EMLINK,
    errno.EINVAL,
}
ORDER = {
    "link": ("hard link", "symbolic link"),
    "hard link": ("hard link",),
    "shared": ("symbolic link", "hard link"),
}
WINERROR_NO_PRIVILEGE = 1314  # a symbolic link needs a right that most Windows users lack
WINERROR_NOT_SUPPORTED = (1, 17, 50)  # invalid function, not the same device, not supported


def adopt(
    models_dir: Path,
    manifest: ModelManifest,
    path: Path,
    source: str,
    *,
    how: str = "link",
    check: Callable[[Path], None] | None = None,
    verified: bool = False,
    reporter: Reporter | None = None,
) -> ModelRecord:
    """Make the local file `path` the stored model of `manifest`, and return its record.

    The file is first brought under a temporary name beside the store's models, there hashed
    (unless the caller has just done that, `verified`) and given to `check`, which raises when
    the model must not be used. Only then it appears in the store; after any failure nothing
    of it is left. A model that is
    already here, unchanged, is not brought again. `source` says for people where it came from.

    `how`: "link" is a hard link, else a symbolic one, else a copy. "hard link" leaves out the
    symbolic one: the original may be on a disk that is taken away. "shared" tries the symbolic
    one first: a new hard link changes the original's ctime, so every other user of it would
    hash it again. "move" takes the original, "copy" shares no bytes with it.

    Raises TrustError when the bytes are not those of the manifest or change meanwhile,
    SpaceError when a copy does not fit, and what `check` raises.
    """
    reporter = reporter or Silent()
    sha256 = manifest.sha256
    what = f"store the model {manifest.name}"
    lock = files.lock(
        storage.lock_of(models_dir, sha256),
        on_wait=lambda: reporter.note(f"another smolpc process stores {manifest.name}: waiting"),
        check=reporter.check,
    )
    with files.explain_os_errors(models_dir, what), lock:
        there = storage.find(models_dir, sha256)
        if there is not None and storage.as_recorded(models_dir, there):
            return there
        incoming = models_dir / f".incoming-{sha256}"
        staged = incoming / "adopted"
        files.remove_tree(staged)
        staged.mkdir(parents=True)
        try:
            here = staged / manifest.file.filename
            bring(path, here, how=how, what=what)
            before = _state(here)
            if not verified:
                _require_digest(here, manifest, reporter)
            if check is not None:
                check(here)
            if _state(here) != before:
                raise _changed(manifest, "it was written to while it was being checked")
            record = storage.write_record(staged, manifest, source)
            final = storage.folder_of(models_dir, sha256)
            files.remove_tree(final)
            files.publish(staged, final)
        finally:
            files.remove_tree(staged)
            if incoming.is_dir() and (storage.find(models_dir, sha256) or _empty(incoming)):
                files.remove_tree(incoming)  # an unfinished download of it is of no use now
    return record


def bring(path: Path, target: Path, *, how: str = "link", what: str) -> str:
    """Make `target` the same bytes as the file `path`: "hard link", "symbolic link" or "copy".

    Raises SpaceError, with the missing amount, before a copy begins.
    """
    original = path.resolve(strict=True)
    if how == "move":
        files.replace(path, target)
        return how
    ways = {"hard link": target.hardlink_to, "symbolic link": target.symlink_to}
    for name in ORDER.get(how, ()):
        try:
            ways[name](original)
        except OSError as error:
            if not _no_link(error):
                raise
        else:
            return name
    files.require_space(target.parent, original.stat().st_size, what)
    shutil.copyfile(original, target)
    return "copy"


def _no_link(error: OSError) -> bool:
    windows = getattr(error, "winerror", None)
    if windows is not None:
        return windows in (WINERROR_NO_PRIVILEGE, *WINERROR_NOT_SUPPORTED) or (
            error.errno in NO_LINK
        )
    return error.errno in NO_LINK


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def _empty(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return next(entries, None) is None


def _require_digest(path: Path, manifest: ModelManifest, reporter: Reporter) -> None:
    size = path.stat().st_size
    if size != manifest.file.size:
        raise _changed(manifest, f"it has {size} bytes, expected were {manifest.file.size}")
    digest = files.sha256_shown(path, f"verify {manifest.name}", reporter)
    if digest != manifest.sha256:
        raise _changed(manifest, f"expected sha256 {manifest.sha256}, got {digest}")


def _changed(manifest: ModelManifest, why: str) -> TrustError:
    return TrustError(
        f"the file of {manifest.name} is not what it should be",
        why=why,
        next_step="get the model again from where it came, or: smolpc models.list",
    )
