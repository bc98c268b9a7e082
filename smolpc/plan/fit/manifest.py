"""A model's shape from its manifest, before anything was downloaded. Less sure than a header."""

from __future__ import annotations

from smolpc.gguf.types import BY_NAME
from smolpc.plan.fit.windows import PATTERNS, every
from smolpc.schema.fit import Layer, Shape
from smolpc.schema.model import Architecture, ModelManifest

# Bytes of a header for each token of the vocabulary: text, type, score, merges. Measured on
# the official Qwen2.5-Coder files: 5.9 MB for 151936 tokens.
HEADER_PER_TOKEN = 39

# llama-quantize stores the output matrix better than the rest (llama-quant.cpp); a tied
# embedding is the output.
PLAIN = ("F32", "F16", "BF16", "Q8_0", "MXFP4")  # one type for everything
OUTPUT = "Q6_K"
UNKNOWN = "unknown"  # the architecture of a model whose manifest has no numbers


def shape_of_manifest(manifest: ModelManifest) -> Shape:
    """The shape as far as the manifest tells it.

    The size of the file is exact, and so are the caches. What is guessed is how the bytes are
    shared out among the layers, the embedding and the output. Recurrent layers are not known.
    Without architecture numbers they are those of an ordinary model of its size, and the
    shape says so (`modelled` is False).
    """
    numbers = manifest.architecture or _ordinary(manifest.parameters)
    embedding, output, kind = _edges(numbers, manifest.file.quantization)
    header = HEADER_PER_TOKEN * numbers.vocabulary
    own = 0 if numbers.tied_output else output
    rest = max(0, manifest.file.size - header - embedding - own)
    each = rest // max(1, numbers.layers)
    return Shape(
        architecture=numbers.name,
        layers=tuple(_layer(numbers, each, limited=limited) for limited in _windows(numbers)),
        token_embedding=embedding,
        output=embedding if numbers.tied_output else output,
        output_extra=rest - each * numbers.layers,
        tied=numbers.tied_output,
        output_type=kind,
        embedding=numbers.embedding,
        vocabulary=numbers.vocabulary,
        sliding_window=numbers.sliding_window or 0,
        trained_context=manifest.context_length,
        experts=numbers.experts or 0,
        exact=False,
        modelled=manifest.architecture is not None,
    )


def _ordinary(parameters: int) -> Architecture:
    """The numbers of a dense model with this many parameters: 32 layers of full attention,
    each about 12 n_embd^2 elements, and one key head for four query heads. More cache than
    most models of today have."""
    vocabulary, layers = 151936, 32
    width = max(512, round(max(parameters / (12 * layers), 1) ** 0.5 / 256) * 256)
    return Architecture(
        name=UNKNOWN,
        layers=layers,
        embedding=width,
        heads=width // 128,
        kv_heads=max(1, width // 512),
        key_length=128,
        value_length=128,
        feed_forward=width * 3,
        vocabulary=vocabulary,
        tied_output=True,
    )


def _edges(numbers: Architecture, quantization: str) -> tuple[int, int, str]:
    """Bytes of the token embedding and of the output matrix, and the type of that."""
    elements = numbers.embedding * numbers.vocabulary
    mix = quantization.upper()
    base = "_".join(mix.split("_")[:2])  # "Q4_K_M" -> "Q4_K"
    simple = base if base in BY_NAME else mix if mix in BY_NAME else "Q8_0"
    output = simple if simple in PLAIN else OUTPUT
    embedding = output if numbers.tied_output else simple

    def size(name: str) -> int:
        if numbers.embedding % BY_NAME[name].block:  # the smaller blocks that fit its rows
            name = {"Q4_K": "Q5_0", "Q5_K": "Q5_1"}.get(name, "Q8_0")
        kind = BY_NAME[name]
        return elements // kind.block * kind.size

    return size(embedding), size(output), output


def _windows(numbers: Architecture) -> tuple[bool, ...]:
    period, dense_first, _ = PATTERNS.get(numbers.name, (0, False, 0))
    period = numbers.sliding_window_pattern or period
    if not numbers.sliding_window or not period:
        return (False,) * numbers.layers
    return every(period, numbers.layers, dense_first=dense_first)


def _layer(numbers: Architecture, size: int, *, limited: bool) -> Layer:
    """One of equal layers. Its experts are shared out by their number of elements."""
    wide, experts = numbers.expert_feed_forward or 0, numbers.experts or 0
    routed = 3 * numbers.embedding * wide * experts
    heads = numbers.heads * numbers.key_length
    pairs = numbers.kv_heads * (numbers.key_length + numbers.value_length)
    attention = numbers.embedding * (2 * heads + pairs)
    dense = 3 * numbers.embedding * numbers.feed_forward
    whole = attention + (routed or dense)
    return Layer(
        weights=size,
        experts=size * routed // whole if whole else 0,
        largest=size * ((routed or dense) // 3) // whole if whole else 0,
        attention="swa" if limited else "full",
        heads=numbers.heads,
        kv_heads=numbers.kv_heads,
        key_length=numbers.key_length,
        value_length=numbers.value_length,
        feed_forward=0 if routed else numbers.feed_forward,
        expert_feed_forward=wide,
        experts_used=(numbers.experts_used or 1) if routed else 0,
    )
