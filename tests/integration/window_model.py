"""A small model with a sliding window and random weights, for what no small real one has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFReader, GGUFWriter, TokenType

WIDTH, HEAD, HEADS, FFN, LAYERS, WINDOW = 64, 32, 4, 128, 6, 128


def write(path: Path, vocabulary: Path) -> Path:
    """A gemma3 of five layers that look WINDOW tokens back and one that sees everything; its
    words are those of the model file `vocabulary`."""
    fields = GGUFReader(vocabulary).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    out = GGUFWriter(path, "gemma3")
    out.add_context_length(4096)
    out.add_embedding_length(WIDTH)
    out.add_feed_forward_length(FFN)
    out.add_block_count(LAYERS)
    out.add_head_count(HEADS)
    out.add_head_count_kv(1)
    out.add_key_length(HEAD)
    out.add_value_length(HEAD)
    out.add_layer_norm_rms_eps(1e-6)
    out.add_sliding_window(WINDOW)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("smollm")
    out.add_token_list(tokens)
    out.add_token_types([TokenType.NORMAL] * len(tokens))
    out.add_token_merges(fields["tokenizer.ggml.merges"].contents())
    out.add_eos_token_id(2)
    random = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> None:
        values = random.standard_normal(shape) / np.sqrt(shape[-1])
        out.add_tensor(f"{name}.weight", values.astype(np.float32))

    def norm(name: str, size: int) -> None:
        out.add_tensor(f"{name}.weight", np.ones(size, np.float32))

    weights("token_embd", len(tokens), WIDTH)
    norm("output_norm", WIDTH)
    for index in range(LAYERS):
        layer = f"blk.{index}"
        for name in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"):
            norm(f"{layer}.{name}", WIDTH)
        norm(f"{layer}.attn_q_norm", HEAD)
        norm(f"{layer}.attn_k_norm", HEAD)
        weights(f"{layer}.attn_q", HEADS * HEAD, WIDTH)
        weights(f"{layer}.attn_k", HEAD, WIDTH)
        weights(f"{layer}.attn_v", HEAD, WIDTH)
        weights(f"{layer}.attn_output", WIDTH, HEADS * HEAD)
        weights(f"{layer}.ffn_gate", FFN, WIDTH)
        weights(f"{layer}.ffn_up", FFN, WIDTH)
        weights(f"{layer}.ffn_down", WIDTH, FFN)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path
