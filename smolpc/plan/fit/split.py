"""Layers over several GPUs: as many as fit on the first, then on the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from smolpc.plan.fit import backends
from smolpc.plan.fit.cache import layer_cache
from smolpc.plan.fit.compute import Work
from smolpc.schema.fit import Device, FitSettings, Shape


def spread(
    shape: Shape, settings: FitSettings, gpus: Sequence[Device], room: Mapping[str, int]
) -> tuple[int, ...] | None:
    """How many of the last `gpu_layers` each GPU takes (the output is the very last), or None
    when they do not fit. `room`: bytes by device name.

    The engine itself splits by free memory and does not look at sizes; filling one GPU after
    the other finds a split whenever there is one, because the layers stay in order.
    """
    work = Work(shape, settings)
    count = len(shape.layers)
    start = count + 1 - min(settings.gpu_layers, count + 1)
    copied = max((layer.largest for layer in shape.layers[:start]), default=0)
    pipeline = start == 0 and not settings.cpu_experts
    position, shares = start, []
    for number, gpu in enumerate(gpus):
        fixed = backends.overhead(gpu)
        fixed += work.pipeline_copies(first=number == 0) if pipeline else 0
        peak = 0
        if number == 0 and work.offloads:
            peak = max((work.layer_peak(x, x.largest) for x in shape.layers[:start]), default=0)
        held, first = 0, position
        while position <= count:
            size, needed = _part(work, position, copied)
            if fixed + held + size + max(peak, needed) > room[gpu.name]:
                break
            held, peak = held + size, max(peak, needed)
            position += 1
        shares.append(position - first)
    return tuple(shares) if position > count else None


def _part(work: Work, position: int, copied: int) -> tuple[int, int]:
    """(bytes that stay, intermediate results) of a layer, or of the output behind the last."""
    shape, settings = work.shape, work.settings
    if position == len(shape.layers):
        return shape.output + shape.output_extra, work.output_peak + copied
    layer = shape.layers[position]
    away = layer.experts if position < settings.cpu_experts else 0
    held = layer.weights - away + layer_cache(shape, layer, settings)
    return held, work.layer_peak(layer, layer.largest if away else 0)
