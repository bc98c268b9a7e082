"""What `models.quantize` and `models.convert` print with `--json`."""

from __future__ import annotations

from smolpc.schema.artifact import ModelRecord
from smolpc.schema.base import Bytes, Value


class MadeReport(Value, kw_only=True):
    """A model that was made here from another one."""

    format: int = 1
    model: str
    parent: str  # sha256 of the file, or path of the folder, that it was made from
    quantization: str
    size: Bytes
    path: str
    record: ModelRecord
    requantized: tuple[str, ...] = ()  # types of the source that were quantized a second time
    checked: str = ""  # what the load test said about it
    notes: tuple[str, ...] = ()
