"""What a GGUF header says about a model, as the fields of a manifest.

The header is what the file says about itself; nothing of it is believed beyond showing it
and sizing: the digest identifies a model, the load test proves it.
"""

from __future__ import annotations

import math
import re

from smolpc.models import licenses
from smolpc.schema.gguf import Elided, GgufHeader
from smolpc.schema.model import Architecture, License

# enum llama_ftype, llama.h: `general.file_type` -> the name people know.
FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4_MOE",
    39: "NVFP4",
    40: "Q1_0",
    41: "Q2_0",
}
LLAMA_CONTEXT = 2048  # tokens; what the engine assumes where the header says nothing


def quantization(header: GgufHeader) -> str:
    """ "Q4_K_M" by the header, else the type that most of the bytes have."""
    kind = header.metadata.get("general.file_type")
    if isinstance(kind, int) and kind in FILE_TYPES:
        return FILE_TYPES[kind]
    sizes: dict[str, int] = {}
    for tensor in header.tensors:
        sizes[tensor.type] = sizes.get(tensor.type, 0) + tensor.size
    return max(sizes, key=lambda name: sizes[name], default="unknown")


def parameters(header: GgufHeader) -> int:
    """How many numbers the tensors hold."""
    return sum(math.prod(tensor.shape) for tensor in header.tensors)


def context_length(header: GgufHeader) -> int:
    """Tokens the model was trained for, by its header."""
    return number(header, "context_length") or LLAMA_CONTEXT


def license_of(header: GgufHeader) -> License:
    """The licence that the header names."""
    meta = header.metadata
    for key in ("general.license", "general.license.name"):
        word = meta.get(key)
        if isinstance(word, str):
            found = licenses.of_word(word)
            if found.id != licenses.UNKNOWN:
                return found
    return License(id=licenses.UNKNOWN)


def family(header: GgufHeader) -> str:
    """A short name of the family: "smollm2"."""
    name = header.metadata.get("general.basename")
    text = name if isinstance(name, str) and name.strip() else header.architecture
    return slug(text) or "unknown"


def title(header: GgufHeader) -> str:
    """The model's own name, for people; "" where it has none."""
    name = header.metadata.get("general.name")
    return " ".join(name.split())[:80] if isinstance(name, str) and name.isprintable() else ""


def slug(text: str) -> str:
    """`text` as a name of smolpc's: lower-case letters, digits, '.', '_', '-'."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("._-")


def number(header: GgufHeader, key: str) -> int:
    """`<architecture>.<key>`; the largest where it is one value a layer; 0 where it is not."""
    value = header.metadata.get(f"{header.architecture}.{key}", 0)
    if isinstance(value, tuple):
        return max((item for item in value if isinstance(item, int)), default=0)
    return value if isinstance(value, int) else 0


def architecture(header: GgufHeader) -> Architecture | None:
    """The numbers that sizing needs; None where the header lacks the basic ones."""
    layers, embedding = number(header, "block_count"), number(header, "embedding_length")
    heads = number(header, "attention.head_count")
    if not (layers and embedding and heads):
        return None
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    vocabulary = number(header, "vocab_size")
    if isinstance(tokens, Elided):
        vocabulary = tokens.count
    return Architecture(
        name=header.architecture,
        layers=layers,
        embedding=embedding,
        heads=heads,
        kv_heads=number(header, "attention.head_count_kv") or heads,
        key_length=number(header, "attention.key_length") or embedding // heads,
        value_length=number(header, "attention.value_length") or embedding // heads,
        feed_forward=number(header, "feed_forward_length"),
        vocabulary=vocabulary,
        sliding_window=number(header, "attention.sliding_window") or None,
        experts=number(header, "expert_count") or None,
        experts_used=number(header, "expert_used_count") or None,
        expert_feed_forward=number(header, "expert_feed_forward_length") or None,
        tied_output=not any(tensor.name == "output.weight" for tensor in header.tensors),
    )
