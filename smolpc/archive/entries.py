"""Which entries of an archive may be unpacked, and where to. Pure: names in, names out.

The rules are the same on every system, so that an archive accepted on Linux never
surprises on Windows or macOS.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from smolpc.console import human_bytes
from smolpc.errors import TrustError

MOST_ENTRIES = 200_000
MOST_BYTES = 8 << 30
BOMB_FLOOR = 64 << 20  # bytes; below this no ratio is absurd
BOMB_RATIO = 200  # real source archives stay below 20

WINDOWS_FORBIDS = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f]|[. ]$')
WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$", re.IGNORECASE)
LONGEST_NAME = 255  # bytes of one path component

Kind = Literal["file", "folder", "link", "hardlink", "other"]


@dataclass(frozen=True)
class Entry:
    """One line of the table of contents. `size` in bytes; `link` is the target of a link."""

    name: str
    kind: Kind
    size: int = 0
    executable: bool = False
    link: str = ""
    raw: Any = None  # the library's own description


@dataclass(frozen=True)
class Selected:
    """An entry, the path it gets, and (hard links) the path it copies."""

    path: PurePosixPath
    entry: Entry
    copies: PurePosixPath | None = None


class Unsafe(Exception):
    """Why an archive is refused."""


def select(
    entries: Iterable[Entry], archive: str, archive_size: int, *, only: str = "", strip: int = 0
) -> list[Selected]:
    """The entries below the folder `only`, without their first `strip` path components.

    Entries that have no component left are skipped, as tar does. Raises TrustError, naming
    the entry, when anything in the archive is hostile.
    """
    prefix = PurePosixPath(only).parts
    rules = _Rules(archive_size)
    chosen: list[Selected] = []
    for entry in entries:
        try:
            rules.count(entry)
            parts = _parts(entry.name)
            if parts[: len(prefix)] != prefix or len(parts) <= strip:
                continue
            if len(parts) == len(prefix) and entry.kind == "folder":
                continue
            chosen.append(rules.admit(entry, parts[strip:], strip))
        except Unsafe as reason:
            raise TrustError(
                f"{archive} is not safe to unpack",
                why=f"{entry.name!r}: {reason}",
                next_step="do not use this file: delete it and tell whoever offers it",
            ) from reason
    return chosen


class _Rules:
    """What has been admitted so far."""

    def __init__(self, archive_size: int) -> None:
        self.limit = min(MOST_BYTES, max(BOMB_FLOOR, BOMB_RATIO * archive_size))
        self.entries = 0
        self.bytes = 0
        self.paths: dict[tuple[str, ...], tuple[tuple[str, ...], Kind]] = {}
        self.leaves: set[tuple[str, ...]] = set()

    def count(self, entry: Entry) -> None:
        self.entries += 1
        self.bytes += entry.size
        if entry.size < 0 or self.bytes > self.limit:
            raise Unsafe(f"unpacks to more than {human_bytes(self.limit)}")
        if self.entries > MOST_ENTRIES:
            raise Unsafe(f"holds more than {MOST_ENTRIES} entries")

    def admit(self, entry: Entry, parts: tuple[str, ...], strip: int) -> Selected:
        for part in parts:
            _check_portable(part)
        copies = None
        if entry.kind == "other":
            raise Unsafe("is not a file, a folder or a link")
        if entry.kind == "link":
            _check_link(entry.link, parts)
        if entry.kind == "hardlink":
            source = _parts(entry.link)[strip:]
            if self.paths.get(_folded(source)) != (source, "file"):
                raise Unsafe(f"is a hard link to {entry.link!r}, which does not come before it")
            copies = PurePosixPath(*source)
        for length in range(1, len(parts)):
            self._enter(parts[:length], "folder")
        self._enter(parts, "file" if entry.kind == "hardlink" else entry.kind)
        return Selected(PurePosixPath(*parts), entry, copies)

    def _enter(self, path: tuple[str, ...], kind: Kind) -> None:
        """No two entries may be one on a system that ignores case; only folders hold files."""
        there = self.paths.setdefault(_folded(path), (path, kind))
        if there[0] != path:
            raise Unsafe(f"differs only by case from {'/'.join(there[0])!r}")
        if there[1] != kind:
            raise Unsafe(f"is a {kind} here and a {there[1]} elsewhere")
        if kind != "folder":
            if path in self.leaves:
                raise Unsafe("appears twice")
            self.leaves.add(path)


def _folded(path: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(unicodedata.normalize("NFC", part).casefold() for part in path)


def _parts(name: str) -> tuple[str, ...]:
    """The components of a relative name that stays inside; "." is dropped."""
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise Unsafe("is an absolute path")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in re.split(r"[/\\]", name):
        raise Unsafe("leaves its folder")
    return parts


def _check_portable(part: str) -> None:
    try:
        length = len(part.encode())
    except UnicodeEncodeError as error:
        raise Unsafe("is not valid text") from error
    if length > LONGEST_NAME or WINDOWS_FORBIDS.search(part) or WINDOWS_DEVICE.match(part):
        raise Unsafe("is a name that not every system can hold")


def _check_link(target: str, parts: tuple[str, ...]) -> None:
    """Links may climb only at their beginning: so they cannot climb through another link."""
    steps = [step for step in target.split("/") if step not in ("", ".")]
    climbs = steps.count("..")
    inside = (
        bool(steps)
        and not target.startswith("/")
        and not re.search(r"[\\:\x00]", target)
        and steps[:climbs] == [".."] * climbs
        and climbs < len(parts)
    )
    if not inside:
        raise Unsafe(f"is a link that points outside: {target!r}")
