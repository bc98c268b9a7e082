"""Where the bytes of a GGUF file come from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from smolpc.errors import PrerequisiteError, UsageError


class Source(Protocol):
    """Random access to one file. `name` is for messages: no password, no signed query."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int | None:
        """Bytes of the file; None while it is not known."""

    def read_at(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset`; fewer, or none, only at the end of the file."""


class LocalFile:
    """A file on this machine; made by `local_file`."""

    def __init__(self, path: Path, stream: BinaryIO, size: int) -> None:
        self.path, self._stream = path, stream
        self.name, self.size = str(path), size

    def read_at(self, offset: int, count: int) -> bytes:
        try:
            self._stream.seek(offset)
            return self._stream.read(count)
        except OSError as error:
            raise _unreadable(self.path, error) from error


@contextlib.contextmanager
def local_file(path: Path) -> Iterator[LocalFile]:
    """Open `path`. Raises UsageError when it is not a file, PrerequisiteError when it cannot
    be read."""
    try:
        if not path.is_file():  # before opening: a pipe would wait for ever
            raise UsageError(
                f"{path} is not a file" if path.exists() else f"{path} does not exist",
                next_step="smolpc models.list",
            )
        stream = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error
    with stream:
        yield LocalFile(path, stream, path.stat().st_size)


def _unreadable(path: Path, error: OSError) -> PrerequisiteError:
    return PrerequisiteError(
        f"{path} cannot be read", why=error.strerror or "", next_step="make the file readable"
    )
