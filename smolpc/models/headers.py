"""The GGUF header of a model, wherever it is: a file here, or a few MB of one on the web."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from smolpc.gguf import Source, local_file, read_model
from smolpc.net import NetSettings, local_path
from smolpc.schema.gguf import GgufHeader


def header_of(place: str | Path, settings: NetSettings) -> GgufHeader:
    """The header of the model at a path or an http(s) URL; of all its parts if it is split.

    Any part of a split model may be named. Raises TrustError when it is not a usable GGUF
    file, NetworkError, UsageError (no such file), PrerequisiteError (not readable).
    """
    path = place if isinstance(place, Path) else local_path(place)
    if path is not None:
        folder = path.parent
        return read_model(path.name, lambda name: local_file(folder / name))
    url = urlsplit(str(place))
    before, _, filename = url.path.rpartition("/")

    def remote(name: str) -> AbstractContextManager[Source]:
        from smolpc.net.ranges import RangeSource

        place = urlunsplit(url._replace(path=f"{before}/{name}"))
        return RangeSource(place, settings)

    return read_model(filename, remote)
