"""A model's shape from its GGUF header: what lies in which layer, and what each layer keeps."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from smolpc.plan.fit.states import Recurrent, recurrent
from smolpc.plan.fit.windows import windowed
from smolpc.schema.fit import Attention, Layer, Shape
from smolpc.schema.gguf import Elided, GgufHeader, Tensor

BLOCK = re.compile(r"blk\.(\d+)\.(.+)")
EXPERTS = re.compile(r"ffn_(up|down|gate|gate_up)_(ch)?exps")  # as --n-cpu-moe matches them
STATE = ("ssm_", "shortconv", "time_mix_")
KEYS = ("attn_k.", "attn_q.", "attn_qkv.", "attn_kv_a_mqa.", "attn_kv_b.", "attn_q_a.")

# They keep indexer keys or compressed caches besides the ordinary ones (create_memory in
# llama-model.cpp); sized as ordinary caches, and said so.
UNMODELLED = frozenset(
    ("deepseek32", "deepseek4", "dots3note", "glm-dsa", "glm5-next", "hy-v4", "minimax-m3")
) | {"qwen4exp"}
# Encoders and diffusion models: no cache at all.
CACHELESS = frozenset(
    ("bert", "dream", "eurobert", "gemma-embedding", "jina-bert-v2", "jina-bert-v3", "llada")
) | {"llada-moe", "modern-bert", "neo-bert", "nomic-bert", "nomic-bert-moe", "rnd1"}


def shape_of(header: GgufHeader, *, trained_context: int | None = None) -> Shape:
    """The shape of the model in a file with this header.

    `trained_context`: tokens, where something better than the header is known. Some files
    declare more than they were trained for (Qwen2.5 7B: 131072 instead of 32768).
    """
    return _Reading(header).shape(trained_context)


class _Reading:
    def __init__(self, header: GgufHeader) -> None:
        self.header, self.name = header, header.architecture
        self.tensors = {tensor.name: tensor for tensor in header.tensors}
        self.blocks: dict[int, list[tuple[str, Tensor]]] = defaultdict(list)
        for tensor in header.tensors:
            if match := BLOCK.fullmatch(tensor.name):
                self.blocks[int(match[1])].append((match[2], tensor))
        self.count = self.number("block_count") or len(self.blocks)
        self.embedding = self.number("embedding_length")
        self.window, self.limited = windowed(header, self.count)
        self.mla_key = self.number("attention.key_length_mla")
        self.mla_value = self.number("attention.value_length_mla")
        heads = self.number("attention.head_count")
        self.recurrent = recurrent(self.number, self.embedding, heads)

    def number(self, key: str, layer: int = 0, default: int = 0) -> int:
        """An integer of this architecture; of `layer` where the file has one for each."""
        value = self.header.metadata.get(f"{self.name}.{key}", default)
        if isinstance(value, tuple):
            value = value[layer] if layer < len(value) else default
        return int(value) if isinstance(value, (int, float)) else default

    def shape(self, trained_context: int | None) -> Shape:
        embedding = self.tensors.get("token_embd.weight")
        output = self.tensors.get("output.weight")
        tied = output is None and embedding is not None
        matrix = embedding if output is None else output
        named = {"token_embd.weight", "output.weight"}
        others = [t for n, t in self.tensors.items() if n not in named and not BLOCK.fullmatch(n)]
        inputs = [t for t in others if t.name.startswith(("token_", "per_layer_token", "position"))]
        rest = sum(t.size for t in others) - sum(t.size for t in inputs)
        return Shape(
            architecture=self.name,
            layers=tuple(self.layer(index) for index in range(self.count)),
            token_embedding=(embedding.size if embedding else 0) + sum(t.size for t in inputs),
            output=matrix.size if matrix else 0,
            output_extra=rest,
            tied=tied,
            output_type=matrix.type if matrix else "",
            embedding=self.embedding,
            vocabulary=self.vocabulary(matrix),
            sliding_window=self.window,
            trained_context=trained_context or self.number("context_length"),
            experts=self.number("expert_count"),
            mla_key=self.mla_key,
            mla_value=self.mla_value,
            modelled=self.name not in UNMODELLED,
        )

    def vocabulary(self, matrix: Tensor | None) -> int:
        tokens = self.header.metadata.get("tokenizer.ggml.tokens")
        if isinstance(tokens, Elided):
            return tokens.count
        if isinstance(tokens, tuple):
            return len(tokens)
        declared = self.number("vocab_size")
        return declared or (matrix.shape[-1] if matrix and matrix.shape else 0)

    def layer(self, index: int) -> Layer:
        block = self.blocks.get(index, [])
        names = [name for name, _ in block]
        state = self.state(names)
        predicts = index >= self.count - self.number("nextn_predict_layers")
        if predicts:  # multi-token prediction: the engine neither loads nor runs it by default
            return Layer(weights=0, attention="none", caches=False)
        attention = self.attention(index, names, state)
        used = self.number("expert_used_count", index)
        experts = sum(t.size for name, t in block if EXPERTS.match(name))
        return Layer(
            weights=sum(t.size for _, t in block),
            experts=experts,
            largest=max((t.size for _, t in block), default=0),
            attention=attention,
            heads=self.heads(index),
            kv_heads=self.kv_heads(index) if attention != "none" else 0,
            key_length=self.length("key", index),
            value_length=self.length("value", index),
            caches=attention != "none" and self.owns_cache(index),
            state=state.state,
            feed_forward=_rows(block, ("ffn_up.", "ffn_gate.", "ffn_up_shexp.")),
            expert_feed_forward=_rows(block, ("ffn_up_exps.",)) if experts else 0,
            experts_used=used if experts else 0,
            inner=state.inner,
            projected=state.projected,
            convolved=state.convolved,
        )

    def state(self, names: Iterable[str]) -> Recurrent:
        keeps = any(name.startswith(STATE) for name in names)
        return self.recurrent if keeps else Recurrent()

    def attention(self, index: int, names: list[str], state: Recurrent) -> Attention:
        # a delta net stores its projections as attn_qkv, too
        keys = KEYS if not state.state else ("attn_k.", "attn_kv_a_mqa.")
        attends = any(name.startswith(keys) for name in names)
        if not attends or self.name in CACHELESS:
            return "none"
        if self.mla_key and self.mla_value:
            return "mla"
        return "swa" if self.limited[index] else "full"

    def heads(self, index: int) -> int:
        return self.number("attention.head_count", index)

    def kv_heads(self, index: int) -> int:
        if f"{self.name}.attention.head_count_kv" not in self.header.metadata:
            return self.heads(index)
        return self.number("attention.head_count_kv", index)

    def length(self, part: str, index: int) -> int:
        """Elements of a key or value head. Default as in the engine: n_embd / n_head."""
        heads = self.heads(index) or self.number("attention.head_count")
        plain = self.number(f"attention.{part}_length") or (self.embedding // heads if heads else 0)
        if self.limited[index]:
            return self.number(f"attention.{part}_length_swa") or plain
        return plain

    def owns_cache(self, index: int) -> bool:
        """Gemma 3n and 4: the last layers reuse the keys of earlier ones (gemma3n.cpp)."""
        if self.name == "gemma3n":
            return index < 20
        return index < self.count - self.number("attention.shared_kv_layers")


def _rows(block: Iterable[tuple[str, Tensor]], prefixes: tuple[str, ...]) -> int:
    """Output width of the widest matrix with one of these names."""
    return max(
        (t.shape[1] for name, t in block if name.startswith(prefixes) and len(t.shape) > 1),
        default=0,
    )
