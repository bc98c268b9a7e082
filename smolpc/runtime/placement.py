"""Where the engine put a model, read from what it says while loading."""

from __future__ import annotations

import re
from collections.abc import Iterable

from smolpc.schema.base import Bytes, Value

BUFFER = re.compile(r"(\S+) +(?:model|KV|RS|compute|output) buffer size = +([\d.]+) MiB")
MODEL = re.compile(r"(\S+) +model buffer size = +([\d.]+) MiB")


class Placement(Value, kw_only=True):
    """Bytes of one loaded model."""

    weights_on_gpu: Bytes
    total: Bytes  # weights, cache and buffers, wherever they lie


def read(lines: Iterable[str]) -> Placement:
    """The placement that the engine's log `lines` report."""
    on_gpu = total = 0.0
    for line in lines:
        if found := BUFFER.search(line):
            total += float(found[2])
        if (found := MODEL.search(line)) and not _in_host_memory(found[1]):
            on_gpu += float(found[2])
    return Placement(weights_on_gpu=int(on_gpu * 2**20), total=int(total * 2**20))


def _in_host_memory(buffer: str) -> bool:
    return buffer.startswith(("CPU", "AMX")) or buffer.endswith("_Host")


def fallback(
    asked: int, missing: tuple[str, ...], devices: tuple[str, ...], placement: Placement
) -> str:
    """Why the GPU that was asked for is not used; "" where all is as it was asked.

    `asked` are GPU layers (-1: all there is), `missing` the artifact's GPU backends without a
    device, `devices` the GPUs that the engine has.
    """
    if asked == 0 or placement.weights_on_gpu:
        return ""
    if missing:
        return f"{', '.join(missing)} registered no device"
    if not devices:
        return "this engine has no GPU device" if asked > 0 else ""
    return f"the engine put no layer on {', '.join(devices)}"
