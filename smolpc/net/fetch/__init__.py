"""The download manager: one pinned file, from several places, in several streams, resumable."""

from smolpc.net.fetch.job import download
from smolpc.net.fetch.options import ChunkDigests, Fetched, Options
from smolpc.net.fetch.quiet import QuietHours
from smolpc.net.fetch.rate import parse_rate
from smolpc.net.fetch.state import unfinished

__all__ = [
    "ChunkDigests",
    "Fetched",
    "Options",
    "QuietHours",
    "download",
    "parse_rate",
    "unfinished",
]
