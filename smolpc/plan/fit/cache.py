"""Bytes of cached keys, values and recurrent states.

Sources in the pinned engine: llama-kv-cache.cpp (one K and one V tensor a layer, no V for MLA),
llama-kv-cache-iswa.cpp (size of the window cache), llama-context.cpp (padding of n_ctx),
llama-memory-recurrent.cpp (one F32 row of state for each sequence).
"""

from __future__ import annotations

from smolpc.gguf.types import BY_NAME
from smolpc.schema.fit import FitSettings, Layer, Shape

CELLS = 256  # contexts and window caches are padded to a multiple of this many tokens


def padded(tokens: int) -> int:
    return -(-tokens // CELLS) * CELLS


def bytes_of(kv_type: str, elements: int) -> int:
    """Bytes of `elements` cached values of one token. Raises KeyError for an unknown type."""
    kind = BY_NAME[kv_type.upper()]
    return -(-elements // kind.block) * kind.size


def quantized(kv_type: str) -> bool:
    return BY_NAME[kv_type.upper()].block > 1


def micro_batch(settings: FitSettings) -> int:
    """Tokens that are computed at once: n_ubatch, cut to n_batch and to the context."""
    return min(settings.ubatch, settings.batch, settings.context)


def cells(shape: Shape, layer: Layer, settings: FitSettings) -> int:
    """How many tokens the cache of this layer holds, of all sequences together."""
    each = padded(-(-padded(settings.context) // settings.sequences))
    if layer.attention == "swa" and not settings.full_window:
        each = padded(min(each, shape.sliding_window + micro_batch(settings)))
    return each * settings.sequences


def layer_cache(shape: Shape, layer: Layer, settings: FitSettings) -> int:
    """Bytes that this layer keeps between tokens."""
    kept = layer.state * settings.sequences
    if layer.attention == "none" or not layer.caches:
        return kept
    keys = bytes_of(settings.kv_type, layer.kv_heads * layer.key_length)
    values = bytes_of(settings.kv_type, layer.kv_heads * layer.value_length)
    if layer.attention == "mla":
        values = 0  # a view into the keys
    return kept + cells(shape, layer, settings) * (keys + values)


def loadable(shape: Shape, settings: FitSettings) -> str:
    """Why the engine would refuse these settings; "" when it does not.

    Source: llama_init_from_model and the end of the constructor in llama-context.cpp.
    """
    if settings.kv_type.upper() not in BY_NAME:
        return f"{settings.kv_type} is not a type of the engine"
    block = BY_NAME[settings.kv_type.upper()].block
    if block == 1:
        return ""
    if settings.flash == "off":
        return f"values in {settings.kv_type} need flash attention"
    if any(
        layer.caches and (layer.key_length % block or layer.value_length % block)
        for layer in shape.layers
        if layer.attention != "none"
    ):
        return f"{settings.kv_type} packs {block} values, the heads are no multiple of that"
    return ""
