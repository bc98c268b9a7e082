"""Files that appear whole or not at all: atomic writes, digests, locks, disk space."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from smolpc.console import Reporter, human_bytes
from smolpc.errors import BusyError, PrerequisiteError, SmolpcError, SpaceError, TrustError

CHUNK = 1 << 20
MANY = 200  # files
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


def user_path(text: str | Path) -> Path:
    """The path that a user wrote. As in a shell, '~' is the home folder, and '~name' of somebody
    who is not there is a name like any other."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser raises for the latter


def sha256_file(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """sha256 (hex) of a file. `on_bytes` gets the number of bytes of each chunk read."""
    if on_bytes is None:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(CHUNK))
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(buffer):
            digest.update(buffer[:count])
            on_bytes(count)
    return digest.hexdigest()


def sha256_shown(path: Path, title: str, reporter: Reporter) -> str:
    """sha256 (hex) of a file that takes a while, with progress; `reporter` may stop it."""
    done = 0
    with reporter.task(title, total=path.stat().st_size) as task:

        def advance(count: int) -> None:
            nonlocal done
            done += count
            reporter.check()
            task.update(done)

        return sha256_file(path, advance)


def is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXUSR)


def walk(root: Path) -> list[Path]:
    """All files below `root` (links too), sorted by their '/'-joined relative path."""
    found = [Path(folder) / name for folder, _, names in os.walk(root) for name in names]
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def tree_digest(root: Path) -> str:
    """sha256 over the relative path and content digest of every file below `root`.

    Modes and times are left out: archives and version control do not agree on them.
    """
    digest = hashlib.sha256()
    for path in walk(root):
        content = (
            hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
            if path.is_symlink()
            else sha256_file(path)
        )
        digest.update(f"{path.relative_to(root).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def fsync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut (a no-op where the OS cannot)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(source: Path, target: Path, tries: int = 20) -> None:
    """Rename over `target`. A virus scanner may hold a new file for a moment (Windows)."""
    for _ in range(tries - 1):
        try:
            source.replace(target)
        except PermissionError:
            time.sleep(0.1)
        else:
            return
    source.replace(target)


def allocated(path: Path) -> int:
    """Bytes that `path` takes on the disk (holes do not count where the OS knows); 0: no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0
    blocks: int | None = getattr(found, "st_blocks", None)
    return found.st_size if blocks is None else blocks * 512  # POSIX: units of 512 bytes


def write_atomic(path: Path, *parts: bytes | bytearray, mode: int = 0o644) -> None:
    """Write the parts so that a reader sees the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            for part in parts:
                stream.write(part)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
        fsync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def fsync_tree(root: Path) -> None:
    """Flush every file and folder below `root` to disk."""
    paths = walk(root)
    if len(paths) > MANY and hasattr(os, "sync"):
        os.sync()  # one flush of everything: seconds instead of minutes for a source tree
        return
    for path in paths:
        if os.name == "nt" and path.lstat().st_nlink > 1:
            continue  # flushing needs write access, and the file may be another program's
        if not path.is_symlink():
            with path.open("r+b" if os.name == "nt" else "rb") as stream:
                os.fsync(stream.fileno())
    for folder, _, _ in os.walk(root):
        fsync_folder(Path(folder))


def publish(temporary: Path, final: Path) -> None:
    """Give a finished folder its final name. It appears whole, or stays where it was."""
    fsync_tree(temporary)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(final)
    fsync_folder(final.parent)


def _seal(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.sha256")


def seal(folder: Path) -> None:
    """Record the digest of a finished folder beside it."""
    write_atomic(_seal(folder), tree_digest(folder).encode())


def is_sealed(folder: Path) -> bool:
    """Whether the folder was finished and its digest recorded. Does not hash."""
    return folder.is_dir() and _seal(folder).is_file()


def require_unchanged(folder: Path, what: str) -> None:
    """Hash a sealed folder. When it changed, its seal is broken, so that it is fetched
    again, and TrustError is raised."""
    recorded = _seal(folder).read_text() if is_sealed(folder) else ""
    if recorded != tree_digest(folder):
        _seal(folder).unlink(missing_ok=True)
        raise TrustError(
            f"{what} was changed after it was verified",
            why=f"the files in {folder} are not those that were unpacked",
            next_step="smolpc setup   (it fetches them again)",
        )


def remove_tree(path: Path) -> None:
    """Delete a folder (or a file), read-only files included. The name goes first, so that a crash
    half-way leaves rubbish under a name nobody reads, not a damaged entry."""
    if path.is_file() or path.is_symlink():
        path.unlink()
        return
    if not path.exists():
        return
    rubbish = path.with_name(f".deleting-{path.name}-{os.getpid()}-{time.monotonic_ns()}")
    path.replace(rubbish)

    def make_writable(function: Callable[[str], object], name: str, _: object) -> None:
        # A file may be shared with another program (a hard link), so its mode is not ours to
        # change: its folder decides. Only Windows keeps a read-only file from being removed.
        path = Path(name)
        keep = os.name != "nt" and not (path.is_dir() and not path.is_symlink())
        (path.parent if keep else path).chmod(stat.S_IRWXU)
        function(name)

    shutil.rmtree(rubbish, onerror=make_writable)


def copy_file(source: Path, target: Path) -> None:
    """Copy content and the executable bit only; times and owners stay behind."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if is_executable(source) else 0o644)


def nearest(path: Path) -> Path:
    """`path`, or its nearest parent that exists."""
    probe = path.absolute()
    while not probe.exists():
        probe = probe.parent
    return probe


def is_private(path: Path) -> bool:
    """Whether only its owner can read `path`. True where the OS has no such modes."""
    return not hasattr(os, "geteuid") or not path.stat().st_mode & 0o077


def write_private(path: Path, data: bytes) -> None:
    """Write a new file that only its owner can read. Raises FileExistsError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)


def is_mine(path: Path) -> bool:
    """Whether this user owns `path`, or it does not exist. True where the OS cannot tell."""
    try:
        owner = path.lstat().st_uid
    except FileNotFoundError:
        return True
    return not hasattr(os, "geteuid") or owner == os.geteuid()


def free_bytes(path: Path) -> int:
    """Free bytes for this user on the disk that holds `path` or its nearest parent."""
    return shutil.disk_usage(nearest(path)).free


def require_space(path: Path, needed: int, what: str) -> None:
    """Raise SpaceError, with the missing amount, before a byte is written."""
    free = free_bytes(path)
    if free < needed:
        raise SpaceError(
            f"not enough disk space to {what}",
            why=f"it needs {human_bytes(needed)} in {path}, {human_bytes(free)} are free:"
            f" {human_bytes(needed - free)} are missing",
            next_step="free some space ('smolpc artifacts.gc' removes what nothing uses),"
            " or move the store: SMOLPC_STORE=/another/disk smolpc setup",
        )


def explained(error: OSError, path: Path, what: str) -> SmolpcError | None:
    """ "No space" and "not allowed" from the OS as an error a user can act on, else None."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SpaceError(
            f"the disk filled up while trying to {what}",
            why=f"{human_bytes(free_bytes(path))} are free in {path}",
            next_step="free some space, then run the same command again: it continues",
        )
    if error.errno in (errno.EFBIG, errno.ENAMETOOLONG):
        return PrerequisiteError(
            f"cannot {what}",
            why=f"{error.filename or path}: {error.strerror}: the disk's file system (FAT?) takes"
            " no such file",
            next_step="choose a store on another disk: SMOLPC_STORE=/another/disk smolpc setup",
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return PrerequisiteError(
            f"cannot {what}",
            why=f"{error.filename or path}: a file is where a folder should be",
            next_step="choose another folder (the store: SMOLPC_STORE=/another smolpc setup)",
        )
    if error.errno == errno.ENOENT and error.filename and not Path(error.filename).parent.exists():
        return PrerequisiteError(
            f"cannot {what}",
            why=f"{error.filename}: its folder does not exist and cannot be made",
            next_step="choose another folder (the store: SMOLPC_STORE=/another smolpc setup)",
        )
    if error.errno in NOT_ALLOWED:
        return PrerequisiteError(
            f"not allowed to {what}",
            why=f"{error.filename or path}: {error.strerror}",
            next_step="make the folder writable, or choose another store:"
            " SMOLPC_STORE=/path/you/own smolpc setup",
        )
    return None


@contextlib.contextmanager
def explain_os_errors(path: Path, what: str) -> Iterator[None]:
    """Raise what `explained` makes of an OSError; others pass through."""
    try:
        yield
    except OSError as error:
        known = explained(error, path, what)
        if known is None:
            raise
        raise known from error


@contextlib.contextmanager
def lock(
    path: Path,
    *,
    timeout: float = -1,
    on_wait: Callable[[], None] | None = None,
    check: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Hold the lock file `path` (across processes; freed by the OS when the holder dies).

    Waits up to `timeout` seconds (-1: for ever), then raises BusyError. `on_wait` is called
    once if another process holds the lock, `check` again and again while waiting: it may
    raise to give up.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(str(path))
    end = time.monotonic() + timeout
    waited = False
    while True:
        try:
            held.acquire(timeout=0.2 if waited else 0, poll_interval=0.05)
            break
        except Timeout as error:
            if timeout >= 0 and time.monotonic() >= end:
                raise BusyError(
                    "another smolpc process is at work",
                    why=f"it holds {path}",
                    next_step="wait for it, then run the same command again",
                ) from error
        if on_wait is not None and not waited:
            on_wait()
        if check is not None:
            check()
        waited = True
    try:
        yield
    finally:
        held.release()
