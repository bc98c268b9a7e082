"""What `models.estimate` prints with `--json`."""

from __future__ import annotations

from typing import Literal

from smolpc.schema.base import Bytes, Value
from smolpc.schema.fit import Choice, Device

SizedFrom = Literal["file", "web", "manifest", "size"]


class EstimateReport(Value, kw_only=True):
    """The need of one model on this machine. `total` and the estimate's parts are bytes."""

    format: int = 1
    model: str
    architecture: str
    sized_from: SizedFrom  # the file here, its header on the web, the manifest, only its size
    trained_context: int  # tokens
    weights: Bytes
    total: Bytes
    devices: tuple[Device, ...]  # what this machine has
    choice: Choice
    notes: tuple[str, ...] = ()
