"""What `warm` prints with `--json`."""

from __future__ import annotations

from smolpc.schema.base import Bytes, Value


class Warmed(Value, kw_only=True):
    """A prompt whose computed state is on the disk."""

    format: int = 1
    model: str
    tokens: int
    bytes: Bytes  # of the file
    seconds: float = 0.0  # that computing took; 0: it was stored already
    notes: tuple[str, ...] = ()
