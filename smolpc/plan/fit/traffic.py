"""Bytes that decoding one token moves. Pure.

Every active weight is read once, the keys and values so far once, and a recurrent state is
read and written.
"""

from __future__ import annotations

from smolpc.plan.fit.cache import bytes_of
from smolpc.schema.fit import FitSettings, Layer, Shape


def reads(shape: Shape, settings: FitSettings, depth: int) -> tuple[int, int]:
    """Bytes that decoding one token reads with `depth` tokens in the context: (from the CPU's
    memory, from the GPUs')."""
    first_on_gpu = len(shape.layers) - max(0, settings.gpu_layers - 1)
    cpu = gpu = 0
    for index, layer in enumerate(shape.layers):
        dense = layer.weights - layer.experts + cached(shape, layer, settings.kv_type, depth)
        experts = layer.experts * layer.experts_used // shape.experts if shape.experts else 0
        if index < first_on_gpu:
            cpu += dense + experts
        elif index < settings.cpu_experts:
            cpu, gpu = cpu + experts, gpu + dense
        else:
            gpu += dense + experts
    if settings.gpu_layers:
        return cpu, gpu + shape.output
    return cpu + shape.output, gpu


def seen(shape: Shape, layer: Layer, depth: int) -> int:
    """How many of `depth` earlier tokens this layer looks at."""
    if layer.attention == "none":
        return 0
    if layer.attention == "swa" and shape.sliding_window:
        return min(depth, shape.sliding_window)
    return depth


def cached(shape: Shape, layer: Layer, kv_type: str, depth: int) -> int:
    """Bytes of keys, values and states that one token moves in this layer."""
    keys = bytes_of(kv_type, layer.kv_heads * layer.key_length)
    values = bytes_of(kv_type, layer.kv_heads * layer.value_length)
    if layer.attention == "mla":
        values = 0  # a view into the keys
    return seen(shape, layer, depth) * (keys + values) + 2 * layer.state
