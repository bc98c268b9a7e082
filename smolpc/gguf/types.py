"""Tensor types of the pinned engine: names, ids, and how many bytes a block takes.

Source: `enum ggml_type` in ggml.h and `type_traits` in ggml.c of the commit that
recipes/engines/llama.cpp.yaml pins. An integration test asks the built engine for the same
numbers.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple


class TensorType(NamedTuple):
    id: int
    name: str  # as gguf-py and file names spell it: "Q4_K"
    block: int  # elements that are stored together, along the contiguous axis
    size: int  # bytes per block


TYPES: tuple[TensorType, ...] = tuple(
    TensorType(*row)
    for row in (
        (0, "F32", 1, 4),
        (1, "F16", 1, 2),
        (2, "Q4_0", 32, 18),
        (3, "Q4_1", 32, 20),
        (6, "Q5_0", 32, 22),
        (7, "Q5_1", 32, 24),
        (8, "Q8_0", 32, 34),
        (9, "Q8_1", 32, 36),
        (10, "Q2_K", 256, 84),
        (11, "Q3_K", 256, 110),
        (12, "Q4_K", 256, 144),
        (13, "Q5_K", 256, 176),
        (14, "Q6_K", 256, 210),
        (15, "Q8_K", 256, 292),
        (16, "IQ2_XXS", 256, 66),
        (17, "IQ2_XS", 256, 74),
        (18, "IQ3_XXS", 256, 98),
        (19, "IQ1_S", 256, 50),
        (20, "IQ4_NL", 32, 18),
        (21, "IQ3_S", 256, 110),
        (22, "IQ2_S", 256, 82),
        (23, "IQ4_XS", 256, 136),
        (24, "I8", 1, 1),
        (25, "I16", 1, 2),
        (26, "I32", 1, 4),
        (27, "I64", 1, 8),
        (28, "F64", 1, 8),
        (29, "IQ1_M", 256, 56),
        (30, "BF16", 1, 2),
        (34, "TQ1_0", 256, 54),
        (35, "TQ2_0", 256, 66),
        (39, "MXFP4", 32, 17),
        (40, "NVFP4", 64, 36),
        (41, "Q1_0", 128, 18),
        (42, "Q2_0", 64, 18),
    )
)

REMOVED: dict[int, str] = {  # files that hold them must be converted again
    4: "Q4_2",
    5: "Q4_3",
    31: "Q4_0_4_4",
    32: "Q4_0_4_8",
    33: "Q4_0_8_8",
    36: "IQ4_NL_4_4",
    37: "IQ4_NL_4_8",
    38: "IQ4_NL_8_8",
}

BY_ID: dict[int, TensorType] = {kind.id: kind for kind in TYPES}
BY_NAME: dict[str, TensorType] = {kind.name: kind for kind in TYPES}


def tensor_bytes(type_name: str, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor, without padding. `shape`: the contiguous axis first; () is one element.

    Raises KeyError for an unknown type, ValueError when a row is not whole blocks.
    """
    kind = BY_NAME[type_name]
    row = shape[0] if shape else 1
    if row % kind.block:
        raise ValueError(f"rows of {row} elements are not whole {type_name} blocks of {kind.block}")
    return prod(shape) // kind.block * kind.size
