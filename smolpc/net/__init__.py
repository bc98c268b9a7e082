"""The only door to HTTP.

`NetSettings` says how this machine reaches the network, `session` gives a `requests`
session that obeys it, `get` reads a small document, `download` brings a file,
from several places if need be.
"""

from smolpc.net.fetch import (
    ChunkDigests,
    Fetched,
    Options,
    QuietHours,
    download,
    parse_rate,
    unfinished,
)
from smolpc.net.http import Document, get, session
from smolpc.net.places import local_path, shown
from smolpc.net.settings import NetSettings

__all__ = [
    "ChunkDigests",
    "Document",
    "Fetched",
    "NetSettings",
    "Options",
    "QuietHours",
    "download",
    "get",
    "local_path",
    "parse_rate",
    "session",
    "shown",
    "unfinished",
]
