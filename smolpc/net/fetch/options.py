"""What a caller may choose about a download, and what it gets to know about it."""

from __future__ import annotations

from dataclasses import dataclass

from smolpc.net.fetch.quiet import QuietHours

CHUNK = 8 << 20  # bytes; what one stream loses at most when the process is killed
MOST_STREAMS = 8
NEVER = QuietHours()


@dataclass(frozen=True)
class ChunkDigests:
    """sha256 (hex) of each `size` bytes of the file, in order; the last may be shorter."""

    size: int
    sha256: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Options:
    """`limit`: bytes a second over all streams, 0: none. `streams`: connections, 0: one, and
    more only while that is measurably faster. `chunk`: see CHUNK; tests make it small."""

    limit: int = 0
    streams: int = 0
    quiet_hours: QuietHours = NEVER
    chunk_digests: ChunkDigests | None = None
    chunk: int = CHUNK


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """The file is there. `received`: bytes that this call took from the network or a folder;
    `hosts`: where they came from; `streams`: the most connections used at once."""

    sha256: str
    size: int
    received: int = 0
    hosts: tuple[str, ...] = ()
    seconds: float = 0.0
    streams: int = 0
