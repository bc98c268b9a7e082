"""Read tar and zip archives, and write what `entries.select` lets through.

Everything is unpacked beside the final folder, which appears whole or not at all.
"""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from smolpc import files
from smolpc.archive.entries import Entry, Selected, select
from smolpc.console import Reporter, Task
from smolpc.errors import PrerequisiteError, TrustError

DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a compression this Python does not know
)


@dataclass(frozen=True)
class Extracted:
    """How much was written: number of files and links, and their bytes."""

    files: int
    size: int


class _Archive(Protocol):
    def entries(self) -> Iterator[Entry]: ...

    def open(self, entry: Entry) -> AbstractContextManager[IO[bytes]]: ...


class _Tar:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self.archive = archive

    def entries(self) -> Iterator[Entry]:
        for info in self.archive:
            if info.isreg() and not info.issparse():
                executable = bool(info.mode & stat.S_IXUSR)
                yield Entry(info.name, "file", info.size, executable, raw=info)
            elif info.isdir():
                yield Entry(info.name, "folder")
            elif info.issym():
                yield Entry(info.name, "link", link=info.linkname)
            elif info.islnk():
                yield Entry(info.name, "hardlink", link=info.linkname)
            else:
                yield Entry(info.name, "other")
        self._check_end()

    def _check_end(self) -> None:
        """tarfile takes a damaged header for the end, and leaves a stream's checksum unread."""
        stream = self.archive.fileobj
        assert stream is not None  # noqa: S101 - opened from a path
        stream.seek(self.archive.offset)
        if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it breaks off in the middle")
        while stream.read(files.CHUNK):
            pass

    def open(self, entry: Entry) -> AbstractContextManager[IO[bytes]]:
        info: tarfile.TarInfo = entry.raw
        if hasattr(tarfile, "data_filter"):  # Python 3.11.4 on: a second opinion
            tarfile.data_filter(info, "/nowhere")
        stream = self.archive.extractfile(info)
        assert stream is not None  # noqa: S101 - a regular file
        return stream


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def entries(self) -> Iterator[Entry]:
        for info in self.archive.infolist():
            mode = info.external_attr >> 16
            name = info.orig_filename  # `filename` is cut at a NUL
            if info.flag_bits & 1 or stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                yield Entry(name, "other", info.file_size)  # encrypted, a link, a device
            elif info.is_dir():
                yield Entry(name, "folder")
            else:
                yield Entry(name, "file", info.file_size, bool(mode & stat.S_IXUSR), raw=info)

    def open(self, entry: Entry) -> AbstractContextManager[IO[bytes]]:
        return self.archive.open(entry.raw)


@contextmanager
def _opened(path: Path) -> Iterator[_Archive]:
    """The archive, with what its reader finds wrong as a TrustError."""
    try:
        if path.suffix in (".zip", ".whl"):
            with zipfile.ZipFile(path) as zipped:
                yield _Zip(zipped)
        else:
            with tarfile.open(path, "r:*") as tar:
                yield _Tar(tar)
    except DAMAGED as error:
        raise TrustError(
            f"{path.name} is damaged",
            why=str(error) or type(error).__name__,
            next_step=f"delete {path}, then run the same command again",
        ) from error


def extract(
    archive: Path, into: Path, *, reporter: Reporter, only: str = "", strip: int = 0
) -> Extracted:
    """Unpack the folder `only` ("" is everything) of a .tar.*, .zip or .whl as folder `into`.

    `strip` leading path components are removed. `into` must not exist (FileExistsError) and
    appears whole. Verify the archive's digest before. Modes are reduced to the executable
    bit, owners and times are not kept. Raises TrustError for a hostile or damaged archive
    and one that does not hold `only`; SpaceError before a byte is written.
    """
    if into.exists():
        raise FileExistsError(into)
    title = f"unpack {archive.name}"
    into.parent.mkdir(parents=True, exist_ok=True)
    with files.explain_os_errors(into.parent, title), _opened(archive) as source:
        size = archive.stat().st_size
        chosen = select(source.entries(), archive.name, size, only=only, strip=strip)
        if not chosen:
            raise TrustError(
                f"{archive.name} does not hold what it should",
                why=f"nothing in it lies below {only or 'its top'!r}",
                next_step=f"delete {archive}, then run the same command again",
            )
        total = sum(selected.entry.size for selected in chosen)
        files.require_space(into.parent, total, title)
        temporary = Path(tempfile.mkdtemp(dir=into.parent, prefix=f".{into.name}."))
        try:
            temporary.chmod(0o755)
            with reporter.task(title, total=total) as task:
                _write(source, chosen, temporary, task)
            files.publish(temporary, into)
        except BaseException:
            files.remove_tree(temporary)
            raise
    return Extracted(sum(one.entry.kind != "folder" for one in chosen), total)


def _write(source: _Archive, chosen: Sequence[Selected], root: Path, task: Task) -> None:
    done = 0
    links = []
    for selected in chosen:
        entry, path = selected.entry, root / selected.path
        if entry.kind == "folder":
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.kind == "link":
            links.append((path, entry.link))
        elif selected.copies is not None:
            files.copy_file(root / selected.copies, path)
        else:
            with source.open(entry) as stream, path.open("xb") as out:
                shutil.copyfileobj(stream, out, files.CHUNK)
                if out.tell() != entry.size:
                    raise tarfile.ReadError(f"{entry.name} ends early")
            path.chmod(0o755 if entry.executable else 0o644)
            done += entry.size
            task.update(done)
    for path, target in links:  # last: nothing can be written through them
        _link(path, target)


def _link(path: Path, target: str) -> None:
    try:
        path.symlink_to(target)
    except OSError as error:
        raise PrerequisiteError(
            f"the symbolic link {path.name} cannot be made here",
            why=error.strerror or str(error),
            next_step="on Windows, turn on Developer Mode, then run the same command again",
        ) from error


@contextmanager
def member(archive: Path, name: str) -> Iterator[IO[bytes]]:
    """One file of a .zip or .whl as a stream. Raises TrustError when it is not there."""
    with _opened(archive) as source:
        entry = next((one for one in source.entries() if one.name == name), None)
        if entry is None or entry.kind != "file":
            raise TrustError(
                f"{archive.name} does not hold {name}",
                why="the manifest names a file that is not in it",
                next_step="smolpc models.list",
            )
        with source.open(entry) as stream:
            yield stream
