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
were fitted on the sizes that the pinned engine reports for the shapes in tests/plan/fit/shapes.py
with a vocabulary of 512 tokens, where the layers and not the logits are the largest; they are
whole numbers, exact for dense models, and rounded up for the others. docs/fit.md has the
residuals.
"""

from __future__ import annotations

from functools import cached_property

from smolpc.plan.fit.cache import cells, layer_cache, micro_batch, quantized
from smolpc.schema.fit import FitSettings, Layer, Shape

F16, F32, INDEX = 2, 4, 8
ROWS = 3  # activations of n_embd beside each candidate
USUAL = 512  # tokens of a micro-batch
OFFLOADED_FROM = 32  # tokens: from here on weights on the CPU are copied to the GPU (ggml-cuda.cu)
COPIES = 4  # GGML_SCHED_MAX_COPIES: inputs kept at once when several GPUs form a pipeline


class Work:
    """The intermediate results of one shape with one set of settings. All sizes in bytes."""

    def __init__(self, shape: Shape, settings: FitSettings) -> None:
        self.shape, self.settings = shape, settings
        self.kinds = tuple(dict.fromkeys(shape.layers))  # most layers are alike
        self.flash = settings.flash != "off"
        self.quantized = quantized(settings.kv_type)
        self.tokens = micro_batch(settings) * F32  # one F32 value for each token
        self.row = self.tokens * shape.embedding  # one activation of n_embd
        self.logits_kept = settings.sequences * shape.vocabulary * F32  # output_reserve
        # Whether prompts run on the GPU also for layers whose weights do not lie there.
        self.offloads = micro_batch(settings) >= OFFLOADED_FROM
        self._peaks: dict[tuple[Layer, int], int] = {}

    @cached_property
    def inputs(self) -> int:
        """What the host hands over with every micro-batch, the embedded tokens not counted.

        One mask for full attention and one for windows (cells x T, F16 with flash attention).
        Without flash attention the values are stored transposed, and where each of them goes
        is one 64 bit index an element, again for either cache.
        """
        masks: dict[bool, int] = {}
        values: dict[bool, int] = {}
        for layer in self.kinds:
            if layer.attention == "none" or not layer.caches:
                continue
            limited = layer.attention == "swa"
            each = cells(self.shape, layer, self.settings) // self.settings.sequences
            masks[limited] = each * self.tokens // F32 * (F16 if self.flash else F32)
            if not self.flash and layer.attention != "mla":
                wide = layer.kv_heads * layer.value_length * self.tokens // F32 * INDEX
                values[limited] = max(values.get(limited, 0), wide)
        return sum(masks.values()) + sum(values.values())

    def attention(self, layer: Layer) -> int:
        """Tensors alive in the attention of one layer."""
        if layer.attention == "none":
            return 0
        keys = layer.kv_heads * (layer.key_length + layer.value_length) * self.tokens
        each = cells(self.shape, layer, self.settings) // self.settings.sequences
        scores = 0 if self.flash else each * layer.heads * self.tokens
        if layer.attention == "mla":
            plain = layer.heads * self.shape.mla_key * self.tokens
            absorbed = layer.heads * (layer.key_length + layer.value_length) * self.tokens
            return scores + absorbed + 2 * plain + keys
        query = layer.heads * layer.key_length * self.tokens
        # a quantized cache is rotated (llama-kv-cache.cpp): one more copy of queries and keys
        turned = query + keys if self.quantized else 0
        return scores + 2 * query + turned + (keys if self.flash else 0)

    def feed_forward(self, layer: Layer) -> int:
        """Tensors alive in the feed-forward part of one layer."""
        beside = max(0, layer.heads * layer.key_length * self.tokens - self.row)
        dense = 3 * layer.feed_forward * self.tokens
        if not layer.experts_used:
            return dense + beside
        routed = layer.experts_used * (3 * layer.expert_feed_forward + self.shape.embedding)
        return max(dense, (routed + 2 * self.shape.experts) * self.tokens) + beside

    def recurrent(self, layer: Layer) -> int:
        """Tensors alive in a recurrent layer."""
        if not layer.state:
            return 0
        widths = layer.projected + 3 * layer.convolved + layer.inner
        return widths * self.tokens + 2 * layer.state * self.settings.sequences

    def layer_peak(self, layer: Layer, weights: int = 0) -> int:
        """The largest candidate of one layer, with the residuals and `inputs`.

        `weights`: its matrices lie in host memory and come over when they are needed; bytes
        of the largest. The keys of such a layer come over as well.
        """
        if (layer, weights) not in self._peaks:
            attending = self.attention(layer)
            if weights:
                attending += layer_cache(self.shape, layer, self.settings)
            peak = max(attending, self.feed_forward(layer), self.recurrent(layer))
            self._peaks[layer, weights] = peak + weights + ROWS * self.row + self.inputs
        return self._peaks[layer, weights]

    @cached_property
    def output_peak(self) -> int:
        """Logits of every token of the micro-batch, with the hidden state before them.

        The masks may lie in the way, so that the logits find no place before them. ggml-alloc
        was seen to leave that gap without flash attention, and sometimes for micro-batches of
        more than `USUAL` tokens: half of it is counted there.
        """
        logits = self.tokens * self.shape.vocabulary
        rows = (ROWS + self.quantized) * self.row
        if not self.flash:
            return logits + rows + self.inputs
        return logits + rows + (self.inputs // 2 if self.tokens > USUAL * F32 else 0)

    def pipeline_copies(self, *, first: bool) -> int:
        """What a GPU keeps more of when several form a pipeline: `COPIES` of the inputs, of
        the residual that comes in (twice behind the first GPU: with and without the
        feed-forward part) and, behind the first, of a recurrent layer's projection."""
        again = (COPIES - 1) * self.inputs
        projected = max((layer.projected for layer in self.kinds), default=0) * self.tokens
        if first:
            return again + COPIES * self.row + projected
        return again + COPIES * (2 * self.row + projected)
