"""GGUF files with the shapes of real models and no weights: sparse, so a 14B takes a few KB.

Everything that sizing and the engine's `no_alloc` mode read is there: metadata, tensor
table, true file length. The vocabulary is a count only (`tokenizer.ggml.model` "none").
Used by the unit tests, by the integration tests and by scripts/fit_residuals.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Entry = tuple[str, tuple[int, ...], str]  # name, shape in ggml order, type


@dataclass(frozen=True)
class Made:
    """One synthetic model. `metadata` keys without a dot belong to the architecture."""

    name: str
    architecture: str
    metadata: dict[str, Any]
    tensors: tuple[Entry, ...]


@dataclass(frozen=True)
class Dims:
    """The numbers of one transformer. Lengths are elements, `context` is tokens."""

    layers: int
    embd: int
    heads: int
    kv_heads: int
    ff: int
    vocab: int
    head: int
    context: int = 32768
    tied: bool = False
    window: int = 0
    experts: int = 0
    used: int = 0
    expert_ff: int = 0
    more: dict[str, Any] = field(default_factory=dict)


def mixed(kind: str) -> Callable[[str, int, int, int], str]:
    """The type of a matrix as llama-quantize's recipe chooses it: (role, layer, layers, row)."""

    def q4_k_m(role: str, layer: int, layers: int, row: int) -> str:
        eighth = layers // 8
        more = layer < eighth or layer >= 7 * eighth or (layer - eighth) % 3 == 2
        six = role == "output" or (role in ("v", "down") and more)
        if row % 256:
            return "Q8_0" if six else "Q5_0"
        return "Q6_K" if six else "Q4_K"

    return q4_k_m if kind == "Q4_K_M" else lambda role, layer, layers, row: kind


def _attention(d: Dims, i: int, q: Callable[..., str], *, bias: bool, norms: bool) -> list[Entry]:
    b, wide, narrow = f"blk.{i}.", d.heads * d.head, d.kv_heads * d.head
    made: list[Entry] = [
        (b + "attn_norm.weight", (d.embd,), "F32"),
        (b + "attn_q.weight", (d.embd, wide), q("q", i, d.layers, d.embd)),
        (b + "attn_k.weight", (d.embd, narrow), q("k", i, d.layers, d.embd)),
        (b + "attn_v.weight", (d.embd, narrow), q("v", i, d.layers, d.embd)),
        (b + "attn_output.weight", (wide, d.embd), q("o", i, d.layers, wide)),
    ]
    if bias:
        for part, size in (("q", wide), ("k", narrow), ("v", narrow)):
            made.append((f"{b}attn_{part}.bias", (size,), "F32"))
    if norms:
        made += [(f"{b}attn_{part}_norm.weight", (d.head,), "F32") for part in ("q", "k")]
    return made


def _ffn(d: Dims, i: int, q: Callable[..., str]) -> list[Entry]:
    b = f"blk.{i}."
    return [
        (b + "ffn_norm.weight", (d.embd,), "F32"),
        (b + "ffn_gate.weight", (d.embd, d.ff), q("gate", i, d.layers, d.embd)),
        (b + "ffn_up.weight", (d.embd, d.ff), q("up", i, d.layers, d.embd)),
        (b + "ffn_down.weight", (d.ff, d.embd), q("down", i, d.layers, d.ff)),
    ]


def _experts(d: Dims, i: int, q: Callable[..., str]) -> list[Entry]:
    b, n, wide = f"blk.{i}.", d.experts, d.expert_ff
    return [
        (b + "ffn_gate_inp.weight", (d.embd, n), "F32"),
        (b + "ffn_gate_exps.weight", (d.embd, wide, n), q("gate", i, d.layers, d.embd)),
        (b + "ffn_up_exps.weight", (d.embd, wide, n), q("up", i, d.layers, d.embd)),
        (b + "ffn_down_exps.weight", (wide, d.embd, n), q("down", i, d.layers, wide)),
    ]


def _edges(d: Dims, q: Callable[..., str]) -> list[Entry]:
    tied = q("output", 0, d.layers, d.embd)
    made: list[Entry] = [
        ("token_embd.weight", (d.embd, d.vocab), tied if d.tied else q("embd", 0, 1, d.embd)),
        ("output_norm.weight", (d.embd,), "F32"),
    ]
    if not d.tied:
        made.append(("output.weight", (d.embd, d.vocab), tied))
    return made


def _metadata(d: Dims) -> dict[str, Any]:
    made: dict[str, Any] = {
        "block_count": d.layers,
        "context_length": d.context,
        "embedding_length": d.embd,
        "feed_forward_length": d.ff,
        "attention.head_count": d.heads,
        "attention.head_count_kv": d.kv_heads,
        "attention.key_length": d.head,
        "attention.value_length": d.head,
        "attention.layer_norm_rms_epsilon": 1e-6,
        "vocab_size": d.vocab,
        "rope.dimension_count": d.head,
    }
    if d.window:
        made["attention.sliding_window"] = d.window
    if d.experts:
        made |= {"expert_count": d.experts, "expert_used_count": d.used}
        made["expert_feed_forward_length"] = d.expert_ff
    return made | d.more


def dense(name: str, architecture: str, d: Dims, kind: str) -> Made:
    """qwen2 (biases), llama, qwen3 and gemma (norms): the same skeleton."""
    q = mixed(kind)
    made = _edges(d, q)
    for i in range(d.layers):
        norms = architecture in ("qwen3", "gemma3")
        made += _attention(d, i, q, bias=architecture == "qwen2", norms=norms) + _ffn(d, i, q)
        if architecture.startswith("gemma"):
            made.append((f"blk.{i}.post_attention_norm.weight", (d.embd,), "F32"))
            made.append((f"blk.{i}.post_ffw_norm.weight", (d.embd,), "F32"))
    if architecture == "llama":
        made.append(("rope_freqs.weight", (d.head // 2,), "F32"))
    return Made(name, architecture, _metadata(d), tuple(made))


def moe(name: str, d: Dims, kind: str) -> Made:
    """qwen3moe: every feed-forward part is a set of experts."""
    q = mixed(kind)
    made = _edges(d, q)
    for i in range(d.layers):
        made += _attention(d, i, q, bias=False, norms=True)
        made.append((f"blk.{i}.ffn_norm.weight", (d.embd,), "F32"))
        made += _experts(d, i, q)
    return Made(name, "qwen3moe", _metadata(d), tuple(made))


def gpt_oss(name: str, d: Dims) -> Made:
    """Experts in MXFP4, attention in Q8_0, sinks and biases, a window in every second layer."""
    q = mixed("Q8_0")
    made = _edges(d, q)
    for i in range(d.layers):
        b = f"blk.{i}."
        made += _attention(d, i, q, bias=True, norms=False)
        made += _experts(d, i, mixed("MXFP4"))
        made += [
            (b + "attn_output.bias", (d.embd,), "F32"),
            (b + "attn_sinks.weight", (d.heads,), "F32"),
            (b + "post_attention_norm.weight", (d.embd,), "F32"),
            (b + "ffn_gate_inp.bias", (d.experts,), "F32"),
            (b + "ffn_gate_exps.bias", (d.expert_ff, d.experts), "F32"),
            (b + "ffn_up_exps.bias", (d.expert_ff, d.experts), "F32"),
            (b + "ffn_down_exps.bias", (d.embd, d.experts), "F32"),
        ]
    return Made(name, "gpt-oss", _metadata(d), tuple(made))


def deepseek2(name: str, d: Dims, kind: str, *, rank: int, rope: int, nope: int) -> Made:
    """MLA: the cache holds one latent of `rank` + `rope` elements a token. First layer dense."""
    q = mixed(kind)
    made = _edges(d, q)
    for i in range(d.layers):
        b = f"blk.{i}."
        made += [
            (b + "attn_norm.weight", (d.embd,), "F32"),
            (b + "attn_q.weight", (d.embd, d.heads * (rope + nope)), q("q", i, d.layers, d.embd)),
            (b + "attn_kv_a_mqa.weight", (d.embd, rank + rope), q("k", i, d.layers, d.embd)),
            (b + "attn_kv_a_norm.weight", (rank,), "F32"),
            (b + "attn_k_b.weight", (nope, rank, d.heads), q("k", i, d.layers, nope)),
            (b + "attn_v_b.weight", (rank, d.head, d.heads), q("k", i, d.layers, rank)),
            (b + "attn_output.weight", (d.heads * d.head, d.embd), q("o", i, d.layers, 256)),
        ]
        if i == 0:
            made += _ffn(d, i, q)
            continue
        wide = d.expert_ff * 2
        made.append((b + "ffn_norm.weight", (d.embd,), "F32"))
        made += _experts(d, i, q)
        made += [
            (b + "ffn_gate_shexp.weight", (d.embd, wide), q("gate", i, d.layers, d.embd)),
            (b + "ffn_up_shexp.weight", (d.embd, wide), q("up", i, d.layers, d.embd)),
            (b + "ffn_down_shexp.weight", (wide, d.embd), q("down", i, d.layers, wide)),
        ]
    more = {
        "attention.head_count_kv": 1,
        "attention.key_length": rank + rope,
        "attention.value_length": rank,
        "attention.key_length_mla": rope + nope,
        "attention.value_length_mla": d.head,
        "attention.kv_lora_rank": rank,
        "rope.dimension_count": rope,
        "leading_dense_block_count": 1,
        "expert_shared_count": 2,
    }
    return Made(name, "deepseek2", _metadata(d) | more, tuple(made))


def _ssm(d: Dims, i: int, q: Callable[..., str]) -> list[Entry]:
    b, inner = f"blk.{i}.", d.more["ssm.inner_size"]
    rank, state = d.more["ssm.time_step_rank"], d.more["ssm.state_size"]
    conv = inner + 2 * d.more["ssm.group_count"] * state
    return [
        (b + "attn_norm.weight", (d.embd,), "F32"),
        (b + "ssm_in.weight", (d.embd, inner + conv + rank), q("q", i, d.layers, d.embd)),
        (b + "ssm_conv1d.weight", (d.more["ssm.conv_kernel"], conv), "F32"),
        (b + "ssm_conv1d.bias", (conv,), "F32"),
        (b + "ssm_dt.bias", (rank,), "F32"),
        (b + "ssm_a", (1, rank), "F32"),
        (b + "ssm_d", (1, rank), "F32"),
        (b + "ssm_norm.weight", (inner // d.more["ssm.group_count"], 1), "F32"),
        (b + "ssm_out.weight", (inner, d.embd), q("o", i, d.layers, inner)),
    ]


def hybrid(name: str, d: Dims, kind: str, *, attention_at: tuple[int, ...]) -> Made:
    """granitehybrid: recurrent layers (mamba2), and attention in a few of them."""
    q = mixed(kind)
    made = _edges(d, q)
    for i in range(d.layers):
        attends = i in attention_at
        made += _attention(d, i, q, bias=False, norms=False) if attends else _ssm(d, i, q)
        made += _ffn(d, i, q)
    kv = [d.kv_heads if i in attention_at else 0 for i in range(d.layers)]
    return Made(name, "granitehybrid", _metadata(d) | {"attention.head_count_kv": kv}, tuple(made))


def mamba(name: str, d: Dims, kind: str) -> Made:
    """mamba2: only recurrent layers, no feed-forward part, no heads."""
    q = mixed(kind)
    made = _edges(d, q)
    for i in range(d.layers):
        made += _ssm(d, i, q)
    metadata = _metadata(d) | {"feed_forward_length": 0, "attention.head_count": 0}
    for key in ("head_count_kv", "key_length", "value_length"):
        del metadata[f"attention.{key}"]
    del metadata["rope.dimension_count"]
    return Made(name, "mamba2", metadata, tuple(made))


SSM_350M = {
    "ssm.conv_kernel": 4,
    "ssm.inner_size": 1536,
    "ssm.state_size": 128,
    "ssm.time_step_rank": 48,
    "ssm.group_count": 1,
}
SSM_MAMBA = SSM_350M | {"ssm.inner_size": 4096, "ssm.time_step_rank": 64}
QWEN2 = {
    "0.5b": Dims(24, 896, 14, 2, 4864, 151936, 64),
    "1.5b": Dims(28, 1536, 12, 2, 8960, 151936, 128),
    "3b": Dims(36, 2048, 16, 2, 11008, 151936, 128),
    "7b": Dims(28, 3584, 28, 4, 18944, 152064, 128, context=131072),
    "14b": Dims(48, 5120, 40, 8, 13824, 152064, 128),
}
LLAMA = {
    "1b": Dims(16, 2048, 32, 8, 8192, 128256, 64, context=131072, tied=True),
    "3b": Dims(28, 3072, 24, 8, 8192, 128256, 128, context=131072, tied=True),
}
QWEN3 = {
    "4b": Dims(36, 2560, 32, 8, 9728, 151936, 128, context=40960, tied=True),
    "8b": Dims(36, 4096, 32, 8, 12288, 151936, 128, context=40960),
}
GEMMA3_1B = Dims(26, 1152, 4, 1, 6912, 262144, 256, tied=True, window=512)
GEMMA2_2B = Dims(26, 2304, 8, 4, 9216, 256000, 256, context=8192, tied=True, window=4096)
GPT_OSS = Dims(
    24, 2880, 64, 8, 2880, 201088, 64, context=131072, window=128, experts=32, used=4,
    expert_ff=2880,
)  # fmt: skip
QWEN3_MOE = Dims(
    48, 2048, 32, 4, 6144, 151936, 128, context=40960, experts=128, used=8, expert_ff=768
)
DEEPSEEK = Dims(
    27, 2048, 16, 16, 10944, 102400, 128, context=163840, experts=64, used=6, expert_ff=1408
)
GRANITE_H = Dims(32, 768, 12, 4, 2048, 100352, 64, tied=True, more=SSM_350M)
MAMBA2 = Dims(48, 2048, 1, 1, 1, 50288, 64, context=1048576, tied=True, more=SSM_MAMBA)


# Added when every count in smolpc/plan/fit was already fixed: they show how well it
# generalises.
HELD_OUT = (
    ("qwen3-0.6b-q8_0", "qwen3", Dims(28, 1024, 16, 8, 3072, 151936, 128, tied=True), "Q8_0"),
    ("llama3.1-8b-q4_k_m", "llama", Dims(32, 4096, 32, 8, 14336, 128256, 128), "Q4_K_M"),
    ("qwen2-32b-q4_k_m", "qwen2", Dims(64, 5120, 40, 8, 27648, 152064, 128), "Q4_K_M"),
    (
        "gemma3-4b-q4_k_m",
        "gemma3",
        Dims(34, 2560, 8, 4, 10240, 262144, 256, tied=True, window=1024),
        "Q4_K_M",
    ),
)


def all_shapes() -> Iterator[Made]:
    """Every synthetic model, smallest family first."""
    for size, d in QWEN2.items():
        for kind in ("Q4_K_M", "Q8_0"):
            yield dense(f"qwen2-{size}-{kind.lower()}", "qwen2", d, kind)
    for size, d in LLAMA.items():
        yield dense(f"llama3.2-{size}-q4_k_m", "llama", d, "Q4_K_M")
    for size, d in QWEN3.items():
        yield dense(f"qwen3-{size}-q4_k_m", "qwen3", d, "Q4_K_M")
    yield dense("gemma3-1b-q4_k_m", "gemma3", GEMMA3_1B, "Q4_K_M")
    yield dense("gemma2-2b-q4_k_m", "gemma2", GEMMA2_2B, "Q4_K_M")
    yield gpt_oss("gpt-oss-20b-mxfp4", GPT_OSS)
    yield moe("qwen3moe-30b-a3b-q4_k_m", QWEN3_MOE, "Q4_K_M")
    yield deepseek2("deepseek2-lite-q4_k_m", DEEPSEEK, "Q4_K_M", rank=512, rope=64, nope=128)
    yield hybrid("granite-h-350m-q4_k_m", GRANITE_H, "Q4_K_M", attention_at=(10, 13, 17, 27))
    yield mamba("mamba2-1.3b-q4_k_m", MAMBA2, "Q4_K_M")
    for name, architecture, d, kind in HELD_OUT:
        yield dense(name, architecture, d, kind)


def write(model: Made, path: Path) -> Path:
    """Write the header, then stretch the file to its true length (a hole, all zeros)."""
    import numpy as np
    from gguf import GGMLQuantizationType, GGUFWriter
    from gguf.quants import quant_shape_to_byte_shape

    writer = GGUFWriter(path, model.architecture)
    writer.add_tokenizer_model("none")
    for key, value in model.metadata.items():
        name = f"{model.architecture}.{key}"
        if isinstance(value, list):
            writer.add_array(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        else:
            writer.add_uint32(name, value)
    end = 0
    for name, shape, kind in model.tensors:
        rows = tuple(reversed(shape))
        raw = GGMLQuantizationType[kind]
        plain = kind == "F32"
        held = rows if plain else quant_shape_to_byte_shape(rows, raw)
        size = int(np.prod(held)) * (4 if plain else 1)
        dtype = np.dtype(np.float32 if plain else np.uint8)
        writer.add_tensor_info(name, held, dtype, size, raw_dtype=None if plain else raw)
        end += -(-size // 32) * 32
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    out = writer.fout[0]
    start = -(-out.tell() // 32) * 32
    out.truncate(start + end)
    writer.close()
    return path
