"""The table of tensor types against gguf-py's."""

from __future__ import annotations

import gguf
import pytest

from smolpc.gguf import tensor_bytes
from smolpc.gguf.types import BY_ID, REMOVED, TYPES


def test_names_ids_and_sizes_are_those_of_gguf_py():
    """Types newer than the installed gguf-py are compared with the engine itself
    (tests/integration/test_gguf_real.py), and Q8_1, which is never in files: the published
    gguf-py says 40 bytes, block_q8_1 in ggml-common.h has two halves and 32 bytes: 36."""
    ours = {kind.id: (kind.name, kind.block, kind.size) for kind in TYPES}
    theirs = {kind.value: (kind.name, *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    del ours[9], theirs[9]
    assert len(theirs) >= 30
    assert {key: ours.get(key) for key in theirs} == theirs


def test_no_id_is_both_known_and_removed():
    assert not BY_ID.keys() & REMOVED.keys()
    assert len(BY_ID) == len(TYPES) == len({kind.name for kind in TYPES})


@pytest.mark.parametrize(
    ("kind", "shape", "size"),
    [
        ("F32", (), 4),
        ("F16", (7, 3), 42),
        ("Q4_K", (5120, 13824), 5120 * 13824 // 256 * 144),
        ("Q8_0", (32, 2, 2, 2), 8 * 34),
    ],
)
def test_bytes_of_a_tensor(kind: str, shape: tuple[int, ...], size: int):
    assert tensor_bytes(kind, shape) == size


def test_a_row_that_is_not_whole_blocks_has_no_size():
    with pytest.raises(ValueError, match="896"):
        tensor_bytes("Q4_K", (896, 256))
