"""State files in a private folder: find, take, put, and keep the folder within its limit.

    <folder>/<key>/<digest of the tokens>.kv

Any number of processes may use it at once: a file appears whole under its last name, is never
changed, and its name is decided by what is in it. The time stamp is that of the last use.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from smolpc import files
from smolpc.console import human_bytes
from smolpc.runtime.prefix import header
from smolpc.runtime.prefix.header import Damaged, Header
from smolpc.runtime.prefix.matching import Held, Memory, keepable

SUFFIX = ".kv"
NAME = 32  # hex digits of a digest in a name
MOST_FILES = 512
STALE = 3600.0  # seconds after which a temporary file belongs to a process that was killed
SPARE = 256_000_000  # bytes of the disk that stay free


@dataclass(frozen=True)
class Found:
    """A file that begins as a prompt does: `keep` of its tokens would stay."""

    path: Path
    header: Header
    tokens: Sequence[int]
    keep: int


class Shelf:
    """The files of one key (see `key`), in a folder that all keys share.

    `limit` is in bytes, for all keys together. Problems are no errors, because everything
    here can be computed again: they are collected in `notes`.
    """

    def __init__(self, folder: Path, key: str, limit: int) -> None:
        self.root, self.folder = folder, folder / key[:NAME]
        self.key, self.limit = key, limit
        self.notes: list[str] = []

    def best(
        self, wanted: Sequence[int], memory: Memory, *, context: int, exact: bool
    ) -> list[Found]:
        """Files of at most `context` tokens that help with the prompt `wanted`, best first."""
        found = []
        for path in self._paths():
            read = self._look(path)
            if read is None or read[0].tokens > context:
                continue
            head, tokens = read
            # of a window that is not held as a whole, what the next token needs is stored
            oldest = max(0, len(tokens) - memory.window) if memory.window else 0
            after = Memory(memory.cuts, memory.window, oldest)
            keep = keepable(Held(tokens, head.exact), wanted, after, exact=exact)
            if keep:
                found.append(Found(path, head, tokens, keep))
        return sorted(found, key=lambda one: (-one.keep, one.header.tokens))

    def take(self, found: Found) -> bytearray | None:
        """The verified state of a file; None when it is gone or damaged (then it is deleted)."""
        try:
            with found.path.open("rb") as stream:
                head, tokens = header.read(stream, os.fstat(stream.fileno()).st_size, self.key)
                if head != found.header:
                    return None  # replaced a moment ago
                state = header.read_state(stream, head, tokens)
        except FileNotFoundError:
            return None
        except (Damaged, OSError, MemoryError) as error:
            self.drop(found.path, str(error))
            return None
        with contextlib.suppress(OSError):  # it is only a little older for that
            os.utime(found.path)
        return state

    def bytes_of(self, tokens: Sequence[int]) -> int:
        """Bytes of the file of exactly these tokens, after a look at all of it; 0: none."""
        path = self._path(tokens)
        read = self._look(path)
        if read is None or self.take(Found(path, *read, keep=len(tokens))) is None:
            return 0
        return read[0].file_bytes

    def put(self, tokens: Sequence[int], exact: int, state: bytes | bytearray) -> Path | None:
        """Store a state, and delete the files that were not used for the longest time.

        None when it does not fit the limit or the disk; why is in `notes`.
        """
        begin, head = header.write(self.key, tokens, exact, state)
        path = self._path(tokens)
        if head.file_bytes > self.limit:
            self.notes.append(
                f"the computed prompt was not stored: it has {human_bytes(head.file_bytes)},"
                f" prompt_cache_limit is {human_bytes(self.limit)}"
            )
            return None
        try:
            self._prepare()
            self.make_room(self.limit - head.file_bytes)
            if files.free_bytes(self.root) < head.file_bytes + SPARE:
                self.notes.append("the computed prompt was not stored: the disk is nearly full")
                return None
            files.write_atomic(path, begin, state, mode=0o600)
        except OSError as error:
            self.notes.append(f"the computed prompt was not stored: {error.strerror or error}")
            return None
        return path

    def drop(self, path: Path, why: str) -> None:
        """Delete a file that cannot be used, and say so."""
        self.notes.append(f"a stored prompt was deleted: {why}")
        self.remove(path)

    def make_room(self, limit: int) -> None:
        """Delete old files until all keys together have at most `limit` bytes."""
        kept, total, now = [], 0, time.time()
        for folder in self._folders():
            for entry in _entries(folder):
                found = entry.stat(follow_symlinks=False)
                if not entry.name.endswith(SUFFIX):
                    if now - found.st_mtime > STALE:
                        self.remove(Path(entry.path))
                    continue
                kept.append((found.st_mtime, found.st_size, Path(entry.path)))
                total += found.st_size
        kept.sort(key=lambda one: one[:2], reverse=True)
        while kept and (total > limit or len(kept) >= MOST_FILES):
            _, size, path = kept.pop()
            self.remove(path)
            total -= size

    def _path(self, tokens: Sequence[int]) -> Path:
        return self.folder / f"{header.tokens_digest(tokens)[:NAME]}{SUFFIX}"

    def _prepare(self) -> None:
        """Make the folders, for this user alone."""
        for folder in (self.root, self.folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not files.is_mine(folder):
                raise PermissionError(f"{folder} belongs to another user")
            if os.name != "nt":
                folder.chmod(0o700)

    def _folders(self) -> Iterator[Path]:
        for entry in _entries(self.root, folders=True):
            yield Path(entry.path)

    def _paths(self) -> Iterator[Path]:
        for entry in _entries(self.folder):
            if entry.name.endswith(SUFFIX):
                yield Path(entry.path)

    def _look(self, path: Path) -> tuple[Header, array[int]] | None:
        """Header and tokens of a file of ours; a damaged one is deleted."""
        try:
            with path.open("rb") as stream:
                return header.read(stream, os.fstat(stream.fileno()).st_size, self.key)
        except Damaged as error:
            self.drop(path, str(error))
        except OSError:
            pass  # gone, or not readable: as if it were not there
        return None

    def remove(self, path: Path) -> None:
        """Delete a file, if nobody holds it."""
        with contextlib.suppress(OSError):  # another process reads it (Windows)
            path.unlink(missing_ok=True)


def _entries(folder: Path, *, folders: bool = False) -> list[os.DirEntry[str]]:
    """This user's files (or folders) in `folder`; links and pipes are not looked at."""
    try:
        with os.scandir(folder) as found:
            return [one for one in found if _is_ours(one, folders)]
    except OSError:
        return []


def _is_ours(entry: os.DirEntry[str], folders: bool) -> bool:
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    kind = stat.S_ISDIR if folders else stat.S_ISREG
    return kind(found.st_mode) and (not hasattr(os, "geteuid") or found.st_uid == os.geteuid())
