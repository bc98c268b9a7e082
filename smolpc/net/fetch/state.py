"""The state file `<target>.part.json`: which bytes of the part file can be relied on.

Its first line is written like every file of ours (a sibling, fsync, rename) and claims only
bytes that were flushed to the disk before. The lines after it are appended, without a flush,
when a piece has been written: a killed process loses nothing of them, because the part file
is in the same page cache; after a reboot they are not believed. Each line carries its CRC-32,
a damaged line ends the file, and a damaged first line means: start again.

    1f2e3d4c {"format":1,"boot":"...","sha256":"...","size":98362432,"mirrors":[...]}
    9a8b7c6d [0,4194304,8388608]                                mirror, start, end

No credentials and no query strings are in it: places are written as `net.shown` shows them.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from smolpc import files
from smolpc.net.fetch.mirror import Mirror, Validators
from smolpc.net.fetch.spans import Spans

LARGEST_FILE = 1 << 50  # bytes; more is damage
LARGEST_STATE = 64 << 20
SAME_BOOT = 10.0  # seconds; boot times that a clock adjustment may move


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of one mirror, and which bytes came from it."""

    place: str
    etag: str = ""
    modified: str = ""
    spans: tuple[tuple[int, int], ...] = ()


class Base(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line. `sha256` "": the file is not pinned. `size` None: not known."""

    format: Literal[1]
    boot: str
    sha256: str
    size: int | None
    mirrors: tuple[Known, ...]


class Saved(msgspec.Struct, frozen=True):
    """What a state file says, checked."""

    sha256: str
    size: int | None
    mirrors: tuple[tuple[Known, Spans], ...]

    @property
    def done(self) -> int:
        whole = Spans()
        for _, spans in self.mirrors:
            for start, end in spans:
                whole.add(start, end)
        return whole.total


def path_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part.json")


def fresh_path_of(target: Path) -> Path:
    """Where a new state file is written before it replaces the old one."""
    return target.with_name(f"{target.name}.part.json.new")


def boot_id() -> str:
    """Changes with every start of the operating system."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    import psutil

    return f"{psutil.boot_time():.0f}"


def _same_boot(one: str, other: str) -> bool:
    if one.isdecimal() and other.isdecimal():
        return abs(int(one) - int(other)) <= SAME_BOOT
    return one == other


def _line(payload: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(payload), payload)


def _payloads(data: bytes) -> Iterator[bytes]:
    """The payloads of the undamaged lines, up to the first damaged one."""
    for line in data.split(b"\n")[:-1]:  # what follows the last newline is torn
        checksum, _, payload = line.partition(b" ")
        if checksum != b"%08x" % zlib.crc32(payload):
            return
        yield payload


def load(target: Path, boot: str | None = None) -> Saved | None:
    """What can be relied on of an unfinished download; None: nothing. Never raises on damage.

    Safe to call while another process downloads.
    """
    try:
        with path_of(target).open("rb") as stream:
            data = stream.read(LARGEST_STATE)
        there = target.with_name(f"{target.name}.part").stat().st_size
    except OSError:
        return None
    lines = _payloads(data)
    try:
        base = msgspec.json.decode(next(lines), type=Base)
        spans = [Spans(known.spans) for known in base.mirrors]
        if _same_boot(base.boot, boot_id() if boot is None else boot):
            for payload in lines:
                mirror, start, end = msgspec.json.decode(payload, type=tuple[int, int, int])
                if not 0 <= mirror < len(spans):
                    return None
                spans[mirror].add(start, end)
    except (StopIteration, msgspec.MsgspecError):
        return None
    saved = Saved(base.sha256, base.size, tuple(zip(base.mirrors, spans, strict=True)))
    return saved if _plausible(saved, there) else None


def _plausible(saved: Saved, there: int) -> bool:
    """Whether every claimed byte is inside the file."""
    if saved.size is not None and not 0 <= saved.size <= LARGEST_FILE:
        return False
    end = there if saved.size is None else min(there, saved.size)
    return all(first >= 0 and last <= end for _, spans in saved.mirrors for first, last in spans)


def unfinished(target: Path) -> int:
    """Bytes of `target` that an unfinished download has, perhaps of another process."""
    saved = load(target)
    return saved.done if saved is not None else 0


class Journal:
    """Writes the state file. Its methods are called with the board's lock held, but `prepare`."""

    def __init__(self, target: Path, sha256: str) -> None:
        self.path, self.fresh = path_of(target), fresh_path_of(target)
        self.sha256, self.boot = sha256, boot_id()
        self._tail: BinaryIO | None = None

    def log(self, mirror: int, start: int, end: int) -> None:
        """The bytes [start, end) are in the part file."""
        if self._tail is not None:
            self._tail.write(_line(msgspec.json.encode((mirror, start, end))))

    def prepare(
        self, size: int | None, mirrors: Sequence[tuple[Mirror, Validators]], by: dict[int, Spans]
    ) -> None:
        """Write, beside the present file, one that claims the bytes `by` (index of mirror ->
        spans), which are on the disk."""
        known = tuple(
            Known(
                mirror.place,
                validators.etag,
                validators.modified,
                tuple(by.get(mirror.index, Spans())),
            )
            for mirror, validators in mirrors
        )
        base = Base(1, self.boot, self.sha256, size, known)
        with self.fresh.open("wb") as stream:
            stream.write(_line(msgspec.json.encode(base)))
            stream.flush()
            os.fsync(stream.fileno())

    def swap(self, newer: dict[int, Spans]) -> None:
        """Put the prepared file in place. `newer`: bytes that arrived meanwhile."""
        self.close()
        with self.fresh.open("ab") as stream:
            for mirror, spans in newer.items():
                for start, end in spans:
                    stream.write(_line(msgspec.json.encode((mirror, start, end))))
        files.replace(self.fresh, self.path)
        self._tail = self.path.open("ab", buffering=0)

    def close(self) -> None:
        if self._tail is not None:
            self._tail.close()
            self._tail = None
