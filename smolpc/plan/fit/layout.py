"""Which layer lies on which device, as the engine decides it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from smolpc.schema.base import Value
from smolpc.schema.fit import Device, FitSettings, Shape


class Layout(Value, kw_only=True):
    """For each layer the number of its GPU, or None for the CPU; the same for the output."""

    layers: tuple[int | None, ...]
    output: int | None
    pipeline: bool  # several GPUs work on micro-batches at the same time


def place(shape: Shape, settings: FitSettings, gpus: Sequence[Device]) -> Layout:
    """Source: `load_tensors` in llama-model.cpp (i_gpu_start, the split points), and the
    condition for pipeline parallelism in llama-context.cpp."""
    count = len(shape.layers)
    asked = min(settings.gpu_layers, count + 1) if gpus else 0
    start = count + 1 - asked
    owners = _owners(asked, settings, gpus)
    where = [None if index < start else owners[index - start] for index in range(count + 1)]
    return Layout(
        layers=tuple(where[:count]),
        output=where[count],
        pipeline=len(gpus) > 1 and settings.gpu_layers > count and not settings.cpu_experts,
    )


def _owners(asked: int, settings: FitSettings, gpus: Sequence[Device]) -> list[int]:
    """The GPU of each of the `asked` last layers."""
    if settings.split:
        return [number for number, share in enumerate(settings.split) for _ in range(share)]
    if len(gpus) < 2:
        return [0] * asked
    sums = list(accumulate(max(gpu.free, 1) for gpu in gpus))
    points = [value / sums[-1] for value in sums]
    return [min(bisect_right(points, i / asked), len(gpus) - 1) for i in range(asked)]
