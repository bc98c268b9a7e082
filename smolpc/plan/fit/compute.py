"""Bytes of intermediate results: the engine reserves one buffer a device for the largest graph.

The engine builds the graph of one full micro-batch of T tokens with logits for every token
(`sched_reserve` in llama-context.cpp) and lets ggml-alloc reuse memory that is no longer
needed. So the buffer is the largest sum of tensors that live at the same time. With everything
in F32, the candidates are

- attention (`build_attn_mha` in llama-graph.cpp): without flash attention the scores, cells x T
  x heads, beside the mask, the queries and the residual; MLA has its queries twice, plain and
  absorbed into the latent;
- the feed-forward part: gate, up and their product (3 x T x n_ff) beside the residual, its
  normed copy and one more row of activations; experts the same with T x experts used rows, and
  their down-projections before they are summed;
- a recurrent layer: the input projection, the convolution's channels three times (gathered,
  convolved, activated), the scan's result with the state at its end;
- the output: logits of T x n_vocab, the last hidden state and its norm.

How many rows of n_embd lie beside each candidate cannot be read off one line of source: it
follows from the order of the graph and from ggml-alloc's placement. The counts below (`ROWS`)
were fitted on the sizes that the pinned engine reports for the shapes in tests/gguf/shapes.py
with a vocabulary of 512 tokens, where the layers and not the logits are the largest; they are
whole numbers, exact for dense models, and rounded up for the others. docs/fit.md has the
residuals.
"""

from __future__ import annotations

from smolpc.plan.fit.cache import cells, layer_cache, micro_batch, quantized
from smolpc.schema.fit import FitSettings, Layer, Shape

F16, F32, INDEX = 2, 4, 8
OFFLOADED_FROM = 32  # tokens: from here on weights on the CPU are copied to the GPU (ggml-cuda.cu)
COPIES = 4  # GGML_SCHED_MAX_COPIES: inputs kept at once when several GPUs form a pipeline


def row(shape: Shape, settings: FitSettings) -> int:
    """Bytes of one activation of n_embd for a micro-batch."""
    return micro_batch(settings) * shape.embedding * F32


def flash(settings: FitSettings) -> bool:
    return settings.flash != "off"


def masks(shape: Shape, settings: FitSettings) -> int:
    """One mask for full attention and one for windows: cells x T, F16 with flash attention."""
    size = F16 if flash(settings) else F32
    lengths: dict[bool, int] = {}
    for layer in shape.layers:
        if layer.attention != "none" and layer.caches:
            lengths[layer.attention == "swa"] = cells(shape, layer, settings)
    return sum(lengths.values()) * micro_batch(settings) * size // settings.sequences


def value_rows(shape: Shape, settings: FitSettings) -> int:
    """Where each value goes: without flash attention the cache is transposed, and the engine
    passes one 64 bit index an element, for each of the caches (full, window)."""
    if flash(settings):
        return 0
    widths: dict[bool, int] = {}
    for layer in shape.layers:
        if layer.caches and layer.attention not in ("none", "mla"):
            width = layer.kv_heads * layer.value_length
            widths[layer.attention == "swa"] = max(widths.get(layer.attention == "swa", 0), width)
    return sum(widths.values()) * micro_batch(settings) * INDEX


def inputs(shape: Shape, settings: FitSettings) -> int:
    """What the host hands over with every micro-batch, the embedded tokens not counted."""
    return masks(shape, settings) + value_rows(shape, settings)


def attention(shape: Shape, layer: Layer, settings: FitSettings) -> int:
    """Tensors alive in the attention of one layer, without `inputs` and without the residual."""
    tokens = micro_batch(settings) * F32
    keys = layer.kv_heads * (layer.key_length + layer.value_length) * tokens
    each = cells(shape, layer, settings) // settings.sequences  # a token sees one sequence
    scores = 0 if flash(settings) else each * layer.heads * tokens
    if layer.attention == "mla":
        plain = layer.heads * shape.mla_key * tokens
        absorbed = layer.heads * layer.key_length * tokens
        latent = layer.heads * layer.value_length * tokens
        return scores + absorbed + latent + 2 * plain + keys
    query = layer.heads * layer.key_length * tokens
    # a quantized cache is rotated (llama-kv-cache.cpp): one more copy of queries and keys
    turned = query + keys if quantized(settings.kv_type) else 0
    return scores + 2 * query + turned + (keys if flash(settings) else 0)


def feed_forward(shape: Shape, layer: Layer, settings: FitSettings) -> int:
    """Tensors alive in the feed-forward part, without `inputs` and without the residual."""
    tokens = micro_batch(settings) * F32
    beside = max(0, layer.heads * layer.key_length - shape.embedding) * tokens
    dense = 3 * layer.feed_forward * tokens
    if not layer.experts_used:
        return dense + beside
    routed = layer.experts_used * (3 * layer.expert_feed_forward + shape.embedding)
    return max(dense, (routed + 2 * shape.experts) * tokens) + beside


def recurrent(layer: Layer, settings: FitSettings) -> int:
    """Tensors alive in a recurrent layer, without the residual."""
    if not layer.state:
        return 0
    tokens = micro_batch(settings) * F32
    widths = layer.projected + 3 * layer.convolved + layer.inner
    return widths * tokens + 2 * layer.state * settings.sequences


ROWS = 3  # activations of n_embd beside the candidates above


def layer_peak(shape: Shape, layer: Layer, settings: FitSettings, *, weights_from: int = 0) -> int:
    """The largest candidate of one layer, with its residuals and `inputs`.

    `weights_from`: the matrices lie in host memory and are copied over when they are needed;
    bytes of the largest. The keys of such a layer are copied as well.
    """
    attending = attention(shape, layer, settings)
    if weights_from and layer.attention != "none":
        attending += layer_cache(shape, layer, settings) - layer.state
    peak = max(attending, feed_forward(shape, layer, settings), recurrent(layer, settings))
    return peak + weights_from + ROWS * row(shape, settings) + inputs(shape, settings)


def output_peak(shape: Shape, settings: FitSettings) -> int:
    """Logits of every token of the micro-batch, with the hidden state before them.

    Without flash attention the masks are in the way: the logits find no place in front of them.
    """
    logits = micro_batch(settings) * shape.vocabulary * F32
    rows = ROWS + quantized(settings.kv_type)
    in_the_way = 0 if flash(settings) else inputs(shape, settings)
    return logits + rows * row(shape, settings) + in_the_way


def pipeline_copies(shape: Shape, settings: FitSettings, *, first: bool) -> int:
    """What a GPU keeps more of when several form a pipeline: `COPIES` of the inputs, of the
    residual that comes in (twice behind the first GPU: with and without the feed-forward part)
    and, behind the first, of a recurrent layer's projection."""
    rows, again = row(shape, settings), (COPIES - 1) * inputs(shape, settings)
    projected = max((layer.projected for layer in shape.layers), default=0)
    projected *= micro_batch(settings) * F32
    if first:
        return again + COPIES * rows + projected
    return again + COPIES * (2 * rows + projected)


def offloads(settings: FitSettings) -> bool:
    """Whether prompt processing runs on the GPU also for layers whose weights do not lie there."""
    return micro_batch(settings) >= OFFLOADED_FROM


def logits_kept(shape: Shape, settings: FitSettings) -> int:
    """The buffer that the caller reads logits from: one row a sequence (output_reserve)."""
    return settings.sequences * shape.vocabulary * F32
