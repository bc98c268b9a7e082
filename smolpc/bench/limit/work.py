"""What one token costs: bytes and operations, from the header of the model. Pure.

The least that any engine must do: every active weight is read once for each token, or once for
all tokens that are computed together; one weight costs a multiplication and an addition; tokens
look only at those before them. Norms, sampling and the rest are left out.
"""

from __future__ import annotations

from math import prod

import msgspec

from smolpc.gguf.types import BY_NAME
from smolpc.plan.fit.shape import BLOCK, EXPERTS
from smolpc.plan.fit.traffic import cached, reads, seen
from smolpc.schema.base import Value
from smolpc.schema.fit import FitSettings, Shape
from smolpc.schema.gguf import GgufHeader, Tensor
from smolpc.schema.limit import Work

OUTPUT = "output.weight"
EMBEDDING = "token_embd.weight"


class Operations(Value, kw_only=True):
    """Operations by the kind of number that is multiplied."""

    integer: float = 0.0
    half: float = 0.0
    single: float = 0.0

    def plus(self, kind: str, count: float) -> Operations:
        return msgspec.structs.replace(self, **{kind: getattr(self, kind) + count})

    def __add__(self, other: Operations) -> Operations:
        return Operations(
            integer=self.integer + other.integer,
            half=self.half + other.half,
            single=self.single + other.single,
        )


def kind_of(type_name: str) -> str:
    """Which field of `Operations` weights or cached values of this type count for."""
    if type_name.upper() in ("F16", "BF16"):
        return "half"
    kind = BY_NAME.get(type_name.upper())
    return "integer" if kind is None or kind.block > 1 else "single"


def layer_weights(header: GgufHeader, shape: Shape) -> Operations:
    """Operations with the matrices of all layers, for one token."""
    total = Operations()
    for tensor in header.tensors:
        match = BLOCK.fullmatch(tensor.name)
        matrix = tensor.name.endswith(".weight") and len(tensor.shape) > 1
        if not match or not matrix or int(match[1]) >= len(shape.layers):
            continue
        layer, active = shape.layers[int(match[1])], 1.0
        if not layer.weights:  # the engine does not run it
            continue
        if EXPERTS.match(match[2]):
            active = layer.experts_used / shape.experts if shape.experts else 0.0
        total = total.plus(kind_of(tensor.type), 2 * active * prod(tensor.shape))
    return total


def output_weights(header: GgufHeader) -> Operations:
    """Operations with the output matrix, for one token whose next one is wanted."""
    named: dict[str, Tensor] = {tensor.name: tensor for tensor in header.tensors}
    matrix = named.get(OUTPUT) or named.get(EMBEDDING)
    if matrix is None:
        return Operations()
    return Operations().plus(kind_of(matrix.type), 2 * prod(matrix.shape))


def attention(shape: Shape, depth: float) -> float:
    """Operations of a token that sees `depth` tokens: with their keys, then with their values."""
    return sum(
        2 * layer.heads * (layer.key_length + layer.value_length) * seen(shape, layer, int(depth))
        for layer in shape.layers
    )


def decode(header: GgufHeader, shape: Shape, depth: int, kv_type: str = "f16") -> Work:
    """One token of an answer, with `depth` tokens in the context."""
    settings = FitSettings(context=max(1, depth), kv_type=kv_type)
    total = layer_weights(header, shape) + output_weights(header)
    total = total.plus(kind_of(kv_type), attention(shape, depth + 1))
    return Work(
        stage="decode",
        depth=depth,
        bytes=reads(shape, settings, depth)[0],
        **msgspec.structs.asdict(total),
    )


def prefill(
    header: GgufHeader, shape: Shape, depth: int, together: int, kv_type: str = "f16"
) -> Work:
    """One token of a prompt, of `together` that are computed at once after `depth` others.

    The output matrix is not used: only the last token of a prompt needs it. So many tokens
    need all experts.
    """
    weights = sum(layer.weights for layer in shape.layers)
    caches = sum(cached(shape, layer, kv_type, depth) for layer in shape.layers)
    total = layer_weights(header, shape)
    total = total.plus(kind_of(kv_type), attention(shape, depth + (together + 1) / 2))
    return Work(
        stage="prefill",
        depth=depth,
        together=together,
        bytes=(weights + caches) / together,
        **msgspec.structs.asdict(total),
    )
