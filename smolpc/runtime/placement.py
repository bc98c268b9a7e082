"""Where the engine put a model, read from what it says while loading."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from smolpc.runtime.devices import Device
from smolpc.schema.base import Bytes, Value
from smolpc.schema.running import RunSettings

BUFFER = re.compile(r"(\S+) +(?:model|KV|RS|compute|output) buffer size = +([\d.]+) MiB")
LAYER = re.compile(r"layer +\d+ assigned to device ([^\s,]+),")
# A device's buffer has its number ("Vulkan0", "MTL0_Private"), those of the host have none.
REFUSED = re.compile(r"(?:unable|failed) to allocate ([A-Za-z]+\d+)\w* buffer")
MODEL = re.compile(r"(\S+) +model buffer size = +([\d.]+) MiB")


class Placement(Value, kw_only=True):
    """Bytes of one loaded model."""

    weights_on_gpu: Bytes
    total: Bytes  # weights, cache and buffers, wherever they lie
    layers: dict[str, int] = msgspec.field(default_factory=dict)  # by device, the output too


def read(lines: Iterable[str]) -> Placement:
    """The placement that the engine's log `lines` report."""
    on_gpu = total = 0.0
    layers: Counter[str] = Counter()
    for line in lines:
        if found := BUFFER.search(line):
            total += float(found[2])
        if found := LAYER.search(line):
            layers[found[1]] += 1
        if (found := MODEL.search(line)) and not _in_host_memory(found[1]):
            on_gpu += float(found[2])
    return Placement(
        weights_on_gpu=int(on_gpu * 2**20), total=int(total * 2**20), layers=dict(layers)
    )


def refused_by(lines: Iterable[str]) -> str:
    """The device that had too little memory, as the engine's log names it; "" if none had."""
    return next((found[1] for line in lines if (found := REFUSED.search(line))), "")


def used(registered: Sequence[Device], settings: RunSettings) -> tuple[str, ...]:
    """The names of the GPUs that `settings` puts layers on, the main one first.

    Without names in the settings all that the engine has: graphics cards, and integrated
    graphics only where there is no card.
    """
    if not settings.memory.gpu_layers:
        return ()
    gpus = [device for device in registered if device.is_gpu]
    cards = [device for device in gpus if device.kind == "gpu"]
    return settings.devices or tuple(device.name for device in cards or gpus)


def _in_host_memory(buffer: str) -> bool:
    return buffer.startswith(("CPU", "AMX")) or buffer.endswith("_Host")


def fallback(
    asked: int, missing: tuple[str, ...], devices: tuple[str, ...], placement: Placement
) -> str:
    """Why the GPU is not used as it was asked for; "" where all is as it was asked.

    `asked` are GPU layers (-1: all there is), `missing` the artifact's GPU backends without a
    device, `devices` the GPUs that were to be used.
    """
    count = sum(placement.layers.values())
    wanted = count if asked < 0 else min(asked, count)
    there = sum(placement.layers.get(name, 0) for name in devices)
    if asked == 0 or (placement.weights_on_gpu and there >= wanted):
        return ""
    if placement.weights_on_gpu:
        return f"{wanted} of {count} layers were to be on {', '.join(devices)}, and {there} are"
    if missing:
        return f"{', '.join(missing)} registered no device"
    if not devices:
        return "this engine has no GPU device" if asked > 0 else ""
    return f"the engine put no layer on {', '.join(devices)}"
