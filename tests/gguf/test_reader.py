"""What a header says is what was written into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from smolpc.errors import PrerequisiteError, UsageError
from smolpc.gguf import local_file, read_header
from smolpc.schema.gguf import Elided, Tensor
from tests.gguf import build as g
from tests.gguf.shapes import qwen2_14b

SELFCHECK = Path(__file__).parents[2] / "smolpc" / "data" / "selfcheck.gguf"
ORDERS = pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])

EVERY_KIND = [
    ("general.architecture", "llama"),
    ("u8", g.Typed(g.UINT8, 255)),
    ("i8", g.Typed(g.INT8, -1)),
    ("u16", g.Typed(g.UINT16, 65535)),
    ("i16", g.Typed(g.INT16, -2)),
    ("u32", g.Typed(g.UINT32, 4294967295)),
    ("i32", g.Typed(g.INT32, -3)),
    ("f32", g.Typed(g.FLOAT32, 0.5)),
    ("yes", True),
    ("no", False),
    ("text", "Größe 中"),
    ("u64", g.Typed(g.UINT64, 2**64 - 1)),
    ("i64", g.Typed(g.INT64, -(2**63))),
    ("f64", g.Typed(g.FLOAT64, 0.1)),
    ("empty", g.Typed(g.UINT32, [], array=True)),
    ("flags", [True, False]),
    ("words", ["a", "", "ü"]),
]


@ORDERS
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("tells_size", [True, False], ids=["size known", "size unknown"])
def test_every_kind_of_value(order: str, version: int, tells_size: bool):
    rows = g.placed([("a", (32, 2), g.Q4_0), ("b", (), g.F32), ("c.weight", (5, 4, 3, 2), g.F16)])
    data = g.build(EVERY_KIND, rows, version=version, order=order)
    header = read_header(g.Memory(data, tells_size=tells_size))
    assert header.metadata == {
        "general.architecture": "llama",
        "u8": 255,
        "i8": -1,
        "u16": 65535,
        "i16": -2,
        "u32": 4294967295,
        "i32": -3,
        "f32": 0.5,
        "yes": True,
        "no": False,
        "text": "Größe 中",
        "u64": 2**64 - 1,
        "i64": -(2**63),
        "f64": 0.1,
        "empty": (),
        "flags": (True, False),
        "words": ("a", "", "ü"),
    }
    assert header.metadata["yes"] is True
    assert header.tensors == (
        Tensor(name="a", type="Q4_0", shape=(32, 2), offset=0, size=36),
        Tensor(name="b", type="F32", shape=(), offset=64, size=4),
        Tensor(name="c.weight", type="F16", shape=(5, 4, 3, 2), offset=96, size=240),
    )
    assert (header.version, header.big_endian) == (version, order == ">")
    assert header.architecture == "llama"
    assert header.data_offset % 32 == 0
    assert header.data_offset + 96 + 240 == len(data)
    assert header.file_size == (len(data) if tells_size else None)


@ORDERS
def test_long_arrays_are_elided_and_per_layer_numbers_kept(order: str):
    layers = [8] * 1024
    data = g.build(
        [
            ("llama.attention.head_count_kv", layers),
            ("tokenizer.ggml.scores", [0.0] * 1025),
            ("tokenizer.ggml.tokens", ["ü" * i for i in range(65)]),
            ("general.tags", ["code"] * 64),
            ("after", 7),
        ],
        order=order,
    )
    found = read_header(g.Memory(data)).metadata
    assert found["llama.attention.head_count_kv"] == tuple(layers)
    assert found["tokenizer.ggml.scores"] == Elided(kind="float32", count=1025)
    assert found["tokenizer.ggml.tokens"] == Elided(kind="string", count=65)
    assert found["general.tags"] == ("code",) * 64
    assert found["after"] == 7


def test_a_very_long_text_is_elided_without_reading_it():
    data = g.build([("tokenizer.huggingface.json", "x" * (9 << 20)), ("after", 7)])
    source = g.Memory(data)
    found = read_header(source).metadata
    assert found == {"tokenizer.huggingface.json": Elided(kind="text", count=9 << 20), "after": 7}
    assert sum(count for _, count in source.reads) < 4 << 20


@pytest.mark.parametrize("alignment", [1, 8, 64, 4096])
def test_the_alignment_of_the_file_is_used(alignment: int):
    rows = g.placed([("a", (3,), g.F32), ("b", (3,), g.F32)], alignment)
    data = g.build([("general.alignment", alignment)], rows, alignment=alignment)
    header = read_header(g.Memory(data))
    assert header.alignment == alignment
    assert header.data_offset % alignment == 0
    assert [tensor.offset for tensor in header.tensors] == [0, g.padded(12, alignment)]


def test_a_file_without_tensors():
    """A vocabulary alone, or the first part of a split model."""
    data = g.build([("general.architecture", "llama")])
    header = read_header(g.Memory(data))
    assert (header.tensors, header.data_offset) == ((), len(data))


def test_values_may_straddle_the_blocks_that_are_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("smolpc.gguf.cursor.FIRST_BLOCK", 1)
    monkeypatch.setattr("smolpc.gguf.cursor.LARGEST_BLOCK", 3)
    rows = g.placed([("a", (32, 2), g.Q4_0), ("b", (3,), g.F32)])
    words = ["w" * (i % 9) for i in range(100)]
    data = g.build([*EVERY_KIND, ("tokens", words), ("after", 7)], rows)
    small = read_header(g.Memory(data))
    monkeypatch.undo()
    assert small == read_header(g.Memory(data))
    assert small.metadata["after"] == 7


def test_the_header_of_a_14b_model_costs_little_more_than_itself():
    head, size = qwen2_14b()
    assert 5 << 20 < len(head) < 8 << 20
    source = g.Memory(g.WithZeros(head, size))
    header = read_header(source)
    assert sum(count for _, count in source.reads) < len(head) + (4 << 20)
    assert header.metadata["tokenizer.ggml.tokens"] == Elided(kind="string", count=152064)
    assert header.metadata["tokenizer.ggml.merges"] == Elided(kind="string", count=151387)
    assert len(header.tensors) == 579
    assert header.data_offset == len(head)
    assert header.file_size == size == header.data_offset + sum(t.size for t in header.tensors)


def test_a_model_from_disk(tmp_path: Path):
    path = tmp_path / "Modell für Schüler.gguf"
    path.write_bytes(SELFCHECK.read_bytes())
    with local_file(path) as source:
        header = read_header(source)
    assert header.file_size == path.stat().st_size
    assert header.tensors[0].name == "token_embd.weight"


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(UsageError, match="does not exist"), local_file(tmp_path / "no.gguf"):
        pass


def test_a_folder_is_not_a_file(tmp_path: Path):
    with pytest.raises(UsageError, match="not a file"), local_file(tmp_path):
        pass


def test_a_disk_that_fails_is_an_error_with_its_reason(tmp_path: Path):
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUF")
    with local_file(path) as source, pytest.raises(PrerequisiteError, match="cannot be read"):
        source.read_at(-1, 4)  # as a disk would: the OS refuses the place
