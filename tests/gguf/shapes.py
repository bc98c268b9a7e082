"""Headers with the real shapes of models that are too large to keep here."""

from __future__ import annotations

from typing import Any

from tests.gguf import build as g

SYLLABLES = ("Ġfor", "import", "é", "的", "Ġ", "string", "_id", "()", "Å", "tion", "ment")


def words(count: int) -> list[str]:
    """Distinct token strings of about seven bytes on average, as in byte-level vocabularies."""
    return [f"{SYLLABLES[i % 11]}{i // 11:x}" for i in range(count)]


def qwen2_14b(width: int = 5120, ffn: int = 13824) -> tuple[bytes, int]:
    """The header of a Qwen2.5 14B in Q4_K_M, and the size of the whole file in bytes.

    A smaller `width` and `ffn` (multiples of 256) give the same header before smaller weights.
    """
    layers, kv, vocabulary, merges = 48, 1024, 152064, 151387
    tokens = words(vocabulary)
    metadata: list[tuple[str, Any]] = [
        ("general.architecture", "qwen2"),
        ("qwen2.block_count", layers),
        ("qwen2.context_length", 32768),
        ("qwen2.embedding_length", width),
        ("qwen2.feed_forward_length", ffn),
        ("qwen2.attention.head_count", 40),
        ("qwen2.attention.head_count_kv", 8),
        ("qwen2.rope.freq_base", 1000000.0),
        ("tokenizer.ggml.model", "gpt2"),
        ("tokenizer.ggml.tokens", tokens),
        ("tokenizer.ggml.token_type", g.Typed(g.INT32, [1] * vocabulary, array=True)),
        ("tokenizer.ggml.merges", [f"{tokens[i]} {tokens[i + 1]}" for i in range(merges)]),
        ("tokenizer.chat_template", "{% for message in messages %}" * 80),
        ("general.file_type", 15),
    ]
    tensors = [
        ("output.weight", (width, vocabulary), g.Q6_K),
        ("token_embd.weight", (width, vocabulary), g.Q4_K),
    ]
    for layer in range(layers):
        at = f"blk.{layer}."
        tensors += [
            (at + "attn_norm.weight", (width,), g.F32),
            (at + "ffn_down.weight", (ffn, width), g.Q6_K),
            (at + "ffn_gate.weight", (width, ffn), g.Q4_K),
            (at + "ffn_up.weight", (width, ffn), g.Q4_K),
            (at + "ffn_norm.weight", (width,), g.F32),
            (at + "attn_k.bias", (kv,), g.F32),
            (at + "attn_k.weight", (width, kv), g.Q4_K),
            (at + "attn_output.weight", (width, width), g.Q4_K),
            (at + "attn_q.bias", (width,), g.F32),
            (at + "attn_q.weight", (width, width), g.Q4_K),
            (at + "attn_v.bias", (kv,), g.F32),
            (at + "attn_v.weight", (width, kv), g.Q6_K),
        ]
    tensors.append(("output_norm.weight", (width,), g.F32))
    rows = g.placed(tensors)
    head = g.build(metadata, rows, data=False)
    head += bytes(-len(head) % 32)
    _, shape, kind, offset = rows[-1]
    return head, len(head) + offset + g.size_of(shape, kind)
