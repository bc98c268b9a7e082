"""Make smolpc/data/selfcheck.gguf and selfcheck.json, the trust test's tiny model.

    python scripts/make_selfcheck.py [folder]

A llama-architecture model with random weights in the quantization types that real models
use, so that every kernel family of an instruction set runs: 4, 5, 6 and 8 bit blocks,
K-quants, half and single precision. The reference logits come from numpy in float64 on the
dequantized weights (gguf-py's own dequantizer, not ggml's): a wrong kernel cannot bless
itself.

What remains between a right engine and the reference is the rounding of activations to 8
bit blocks and of the KV cache to half precision. Measured, as the largest difference over
the standard deviation of the reference logits (0.99): 0.09 by llama.cpp b11312 on an
AVX-512 CPU, 0.14 in a numpy model of that rounding alone. The tolerance is 0.3. Zeroing
16 KB, about half of one matrix, gives 0.44 (the least sensitive place, keys) to 3.7.

Deterministic: numpy's RandomState is frozen, and gguf-py writes no time stamp.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter, quants

LAYERS, EMBEDDING, HEADS, KV_HEADS, FEED_FORWARD, VOCABULARY = 2, 256, 4, 2, 256, 96
HEAD = EMBEDDING // HEADS
CONTEXT, EPSILON, ROPE_BASE = 64, 1e-5, 10000.0
SEED = 135
TOKENS = [1, 17, 42, 5, 93, 64, 8, 71, 30, 2, 88, 55]

TOLERANCE = 0.3  # see above

Array = np.ndarray[Any, Any]

SHAPES = {  # rows, columns
    "attn_q": (EMBEDDING, EMBEDDING),
    "attn_k": (KV_HEADS * HEAD, EMBEDDING),
    "attn_v": (KV_HEADS * HEAD, EMBEDDING),
    "attn_output": (EMBEDDING, EMBEDDING),
    "ffn_gate": (FEED_FORWARD, EMBEDDING),
    "ffn_up": (FEED_FORWARD, EMBEDDING),
    "ffn_down": (EMBEDDING, FEED_FORWARD),
}
TYPES = [  # layer 0 as in a Q4_K_M file, layer 1 the older block types
    [Type.Q4_K, Type.Q4_K, Type.Q6_K, Type.Q4_K, Type.Q4_K, Type.Q5_K, Type.Q6_K],
    [Type.Q4_0, Type.F16, Type.Q8_0, Type.Q4_1, Type.Q4_0, Type.Q5_0, Type.Q5_1],
]


def k_quant(random: np.random.RandomState, kind: Type, rows: int, columns: int) -> Array:
    """Random blocks of a K-quant: gguf-py can read these types but not make them.

    The super-scales are set so that the weights have mean zero and the usual size,
    1 / sqrt(columns); everything else in a block may be any byte.
    """
    block, size = {Type.Q4_K: (256, 144), Type.Q5_K: (256, 176), Type.Q6_K: (256, 210)}[kind]
    data = random.randint(0, 256, (rows, columns // block, size), dtype=np.uint8)
    # Root mean square of scale * quant - minimum * middle (Q6_K: scale * quant), with every
    # integer in it uniform over its bits.
    spread = {Type.Q4_K: 258, Type.Q5_K: 527, Type.Q6_K: 1367}[kind]
    scale = 1 / np.sqrt(columns) / spread
    if kind == Type.Q6_K:
        data[..., 208:210] = np.array([scale], np.float16).view(np.uint8)
    else:
        middle = 7.5 if kind == Type.Q4_K else 15.5
        data[..., :4] = np.array([scale, scale * middle], np.float16).view(np.uint8)
    return data.reshape(rows, -1)


def weight(random: np.random.RandomState, kind: Type, rows: int, columns: int) -> Array:
    """The stored form of a random matrix."""
    if kind in (Type.Q4_K, Type.Q5_K, Type.Q6_K):
        return k_quant(random, kind, rows, columns)
    plain = random.standard_normal((rows, columns)) / np.sqrt(columns)
    stored: Array = quants.quantize(plain.astype(np.float32), kind)
    return stored


def make_tensors() -> dict[str, tuple[Array, Type]]:
    """Name -> (stored bytes or values, type), in the order of the file."""
    random = np.random.RandomState(SEED)
    norm = lambda: (1 + 0.1 * random.standard_normal(EMBEDDING)).astype(np.float32)  # noqa: E731
    tensors = {"token_embd.weight": (weight(random, Type.Q8_0, VOCABULARY, EMBEDDING), Type.Q8_0)}
    for layer, kinds in enumerate(TYPES):
        tensors[f"blk.{layer}.attn_norm.weight"] = (norm(), Type.F32)
        tensors[f"blk.{layer}.ffn_norm.weight"] = (norm(), Type.F32)
        for (name, shape), kind in zip(SHAPES.items(), kinds, strict=True):
            tensors[f"blk.{layer}.{name}.weight"] = (weight(random, kind, *shape), kind)
    tensors["output_norm.weight"] = (norm(), Type.F32)
    tensors["output.weight"] = (weight(random, Type.Q6_K, VOCABULARY, EMBEDDING), Type.Q6_K)
    return tensors


def write_model(path: Path, tensors: dict[str, tuple[Array, Type]]) -> None:
    writer = GGUFWriter(path, "llama")
    writer.add_name("smolpc self-check")
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_rope_dimension_count(HEAD)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("no_vocab")
    for name, (data, kind) in tensors.items():
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def rms_norm(x: Array, gain: Array) -> Array:
    normed: Array = x / np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON) * gain
    return normed


def rope(x: Array) -> Array:
    """Rotate neighbouring pairs of (tokens, heads, HEAD) by their position."""
    angle = np.arange(len(x))[:, None] * ROPE_BASE ** (-np.arange(0, HEAD, 2) / HEAD)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    even, odd = x[..., 0::2], x[..., 1::2]
    return np.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(x.shape)


def attention(q: Array, k: Array, v: Array) -> Array:
    """Causal attention; several query heads share one key and value head."""
    count = len(q)
    k, v = (np.repeat(part, HEADS // KV_HEADS, axis=1) for part in (k, v))
    scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(HEAD)
    scores = np.where(np.tril(np.ones((count, count), bool)), scores, -np.inf)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    scores /= scores.sum(-1, keepdims=True)
    mixed: Array = np.einsum("hqk,khd->qhd", scores, v)
    return mixed.reshape(count, -1)


def reference_logits(tensors: dict[str, tuple[Array, Type]]) -> Array:
    """The llama forward pass in float64: logits of shape (tokens, vocabulary)."""
    w = {
        name.removesuffix(".weight"): quants.dequantize(data, kind).astype(np.float64)
        for name, (data, kind) in tensors.items()
    }
    x = w["token_embd"][TOKENS]
    for layer in range(LAYERS):
        at = f"blk.{layer}."
        h = rms_norm(x, w[at + "attn_norm"])
        q = rope((h @ w[at + "attn_q"].T).reshape(-1, HEADS, HEAD))
        k = rope((h @ w[at + "attn_k"].T).reshape(-1, KV_HEADS, HEAD))
        v = (h @ w[at + "attn_v"].T).reshape(-1, KV_HEADS, HEAD)
        x = x + attention(q, k, v) @ w[at + "attn_output"].T
        h = rms_norm(x, w[at + "ffn_norm"])
        gate = h @ w[at + "ffn_gate"].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ w[at + "ffn_up"].T)) @ w[at + "ffn_down"].T
    logits: Array = rms_norm(x, w["output_norm"]) @ w["output"].T
    return logits


def main() -> None:
    package_data = Path(__file__).resolve().parents[1] / "smolpc" / "data"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else package_data
    tensors = make_tensors()
    write_model(folder / "selfcheck.gguf", tensors)
    logits = reference_logits(tensors)
    record = {
        "format": 1,
        "tokens": TOKENS,
        "tolerance": TOLERANCE,
        "scale": round(float(logits.std()), 6),
        "logits": [[round(value, 5) for value in row] for row in logits.tolist()],
    }
    text = json.dumps(record, separators=(",", ":")).replace("],[", "],\n[")
    (folder / "selfcheck.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
