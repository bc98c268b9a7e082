"""Whatever a file says, the reader gives a header or a TrustError with a plain sentence.

That it stays within time and memory is checked in a child process with limits:
tests/integration/test_gguf_limits.py.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smolpc.errors import TrustError
from smolpc.gguf import read_header
from tests.gguf import build as g

CORPUS = Path(__file__).parent / "corpus"
HUGE = 2**64 - 1
ONE = g.placed([("a", (32,), g.F32)])


def array(kind: int, count: int, rest: bytes = b"") -> g.Raw:
    return g.Raw(struct.pack("<IIQ", g.ARRAY, kind, count) + rest)


def text(length: int, rest: bytes = b"") -> g.Raw:
    return g.Raw(struct.pack("<IQ", g.STRING, length) + rest)


def entry(value: Any, key: str | bytes = "k") -> bytes:
    return g.build([(key, value)])


def tensors(*rows: g.TensorRow, alignment: int | None = None) -> bytes:
    metadata = [] if alignment is None else [("general.alignment", alignment)]
    return g.build(metadata, rows, data=False) + bytes(4096)


CASES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "cut off"),
    "two letters": (b"GG", "cut off"),
    "another format": (b"PK\3\4" + bytes(60), "letters GGUF"),
    "a web page": (b"<!DOCTYPE html>" + bytes(60), "letters GGUF"),
    "only the magic": (b"GGUF", "cut off"),
    "version 0": (g.build(version=0), "version 0"),
    "version 1": (g.build(version=1), "version 1, which the engine no longer"),
    "version 1, big endian": (g.build(version=1, order=">"), "version 1, which"),
    "version 4": (g.build(version=4), "version 4"),
    "version huge": (g.build(version=0xFFFFFFFF), "version 4294967295"),
    "no counts": (b"GGUF\3\0\0\0", "cut off"),
    "entries that cannot fit": (g.build(counts=(0, HUGE)), f"{HUGE} metadata entries"),
    "tensors that cannot fit": (g.build(counts=(HUGE, 0)), f"{HUGE} tensors"),
    "one tensor too many": (g.build([], ONE, counts=(2, 0), data=False), "2 tensors"),
    "too many entries": (g.build(counts=(0, 5000)) + bytes(99999), "more than the 4096"),
    "too many tensors": (g.build(counts=(70000, 0)) + bytes(1 << 21), "more than the 65536"),
    "key longer than the file": (
        b"GGUF\3\0\0\0" + struct.pack("<QQQ", 0, 1, HUGE) + bytes(99),
        f"{HUGE} bytes for a metadata key",
    ),
    "key too long": (entry(1, "k" * 70000), "70000 bytes long"),
    "key empty": (entry(1, ""), "key is empty"),
    "key not UTF-8": (entry(1, b"\xff\xfe"), "a metadata key is not valid UTF-8"),
    "key twice": (g.build([("k", 1), ("k", 2)]), "k appears twice"),
    "value missing": (g.build([("k", 1)])[:-4] + b"", "cut off|cannot|claims"),
    "value type unknown": (entry(g.Raw(struct.pack("<I", 13) + bytes(99))), "value type 13"),
    "value type huge": (entry(g.Raw(struct.pack("<I", 2**32 - 1) + bytes(99))), "4294967295"),
    "text longer than the file": (entry(text(HUGE, bytes(99))), f"{HUGE} bytes for k"),
    "text a little too long": (entry(text(100, bytes(99))), "cut off"),
    "text not UTF-8": (entry(text(2, b"\xc3\x28")), "k is not valid UTF-8"),
    "text with half a surrogate": (entry(text(3, b"\xed\xa0\x80")), "not valid UTF-8"),
    "neither true nor false": (entry(g.Raw(struct.pack("<IB", g.BOOL, 2))), "neither true"),
    "array of unknown": (entry(array(99, 1, bytes(99))), "value type 99"),
    "array of arrays": (entry(array(g.ARRAY, 1, bytes(99))), "array of arrays"),
    "array of many arrays": (entry(array(g.ARRAY, HUGE, bytes(99))), "array of arrays"),
    "numbers that cannot fit": (entry(array(g.UINT8, HUGE, bytes(99))), f"{HUGE} elements of k"),
    "numbers that just do not fit": (entry(array(g.UINT32, 26, bytes(100))), "26 elements of k"),
    "strings that cannot fit": (entry(array(g.STRING, HUGE, bytes(99))), f"{HUGE} elements"),
    "strings that leave the file": (
        entry(array(g.STRING, 100, struct.pack("<Q", HUGE) + bytes(1000))),
        "a value in its header takes",
    ),
    "the last string leaves the file": (
        entry(array(g.STRING, 100, bytes(99 * 8) + struct.pack("<Q", 1))),
        "a value in its header takes",
    ),
    "few strings that leave the file": (
        entry(array(g.STRING, 2, struct.pack("<Q", 99) + bytes(20))),
        "cut off",
    ),
    "bools that are neither": (entry(array(g.BOOL, 2, b"\1\2")), "neither true"),
    "architecture not a text": (g.build([("general.architecture", 7)]), "not a text"),
    "architecture an array": (g.build([("general.architecture", ["a"])]), "not a text"),
    "alignment 0": (tensors(*ONE, alignment=0), "alignment is 0"),
    "alignment 24": (tensors(*ONE, alignment=24), "alignment is 24"),
    "alignment absurd": (tensors(*ONE, alignment=1 << 31), "alignment is 2147483648"),
    "alignment a text": (g.build([("general.alignment", "32")]), "32 bit number"),
    "alignment an array": (g.build([("general.alignment", [32])]), "32 bit number"),
    "alignment a signed number": (
        g.build([("general.alignment", g.Typed(g.INT32, 32))]),
        "32 bit number",
    ),
    "tensor name too long": (tensors(("n" * 64, (32,), g.F32, 0)), "64 bytes long"),
    "tensor name not UTF-8": (tensors((b"\xff", (32,), g.F32, 0)), "tensor name is not valid"),
    "tensor twice": (tensors(("a", (32,), 0, 0), ("a", (32,), 0, 128)), "a appears twice"),
    "five dimensions": (tensors(("a", (1, 1, 1, 1, 1), g.F32, 0)), "5 dimensions"),
    "many dimensions": (
        g.build(counts=(1, 0)) + struct.pack("<QcI", 1, b"a", 2**32 - 1) + bytes(99),
        "4294967295 dimensions",
    ),
    "a dimension of 0": (tensors(("a", (32, 0), g.F32, 0)), "impossible shape"),
    "a negative dimension": (tensors(("a", (2**64 - 32,), g.F32, 0)), "impossible shape"),
    "a product that overflows": (tensors(("a", (2**62, 4), g.F32, 0)), "impossible shape"),
    "a product that wraps to a small one": (
        tensors(("a", (2**32, 2**32, 32), g.F32, 0)),
        "impossible shape",
    ),
    "bytes that overflow": (
        tensors(("a", (2**62,), 28, 0)),
        "take",
    ),
    "a type that is unknown": (tensors(("a", (32,), 43, 0)), "unknown type 43"),
    "a type that is huge": (tensors(("a", (32,), 2**32 - 1, 0)), "unknown type 4294967295"),
    "a type that was removed": (tensors(("a", (32,), 31, 0)), "Q4_0_4_4, which the engine no"),
    "rows of half a block": (tensors(("a", (48,), g.Q4_0, 0)), "whole blocks of 32"),
    "a scalar of a block type": (tensors(("a", (), g.Q4_0, 0)), "whole blocks"),
    "unaligned": (tensors(("a", (32,), 0, 0), ("b", (32,), 0, 129)), "not aligned"),
    "overlapping": (tensors(("a", (32,), 0, 0), ("b", (32,), 0, 96)), "b overlaps"),
    "in the same place": (tensors(("a", (32,), 0, 0), ("b", (32,), 0, 0)), "b overlaps"),
    "out of order": (tensors(("a", (32,), 0, 128), ("b", (32,), 0, 0)), "gap before the tensor a"),
    "a gap": (tensors(("a", (32,), 0, 0), ("b", (32,), 0, 160)), "gap before the tensor b"),
    "far away": (tensors(("a", (32,), 0, 2**64 - 32)), "gap before"),
    "weights cut off": (g.build([], ONE)[:-1], "its tensors take"),
    "no weights at all": (g.build([], ONE, data=False), "its tensors take"),
    "a name that would write on the terminal": (
        g.build([("k\x1b[31m\n", 1), ("k\x1b[31m\n", 2)]),
        r"k\\x1b\[31m\\n appears twice",
    ),
}


@pytest.mark.parametrize(("data", "says"), CASES.values(), ids=CASES)
def test_a_bad_file_is_refused_with_the_reason(data: bytes, says: str):
    with pytest.raises(TrustError, match=says) as caught:
        read_header(g.Memory(data))
    assert "memory.gguf is not a model file" in caught.value.what
    assert caught.value.next_step
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("data", [case[0] for case in CASES.values()], ids=CASES)
def test_a_bad_file_of_unknown_size_is_refused_or_cut_short(data: bytes):
    """Without a size a claim is only limited by the longest header allowed; where the weights
    lie cannot be checked then."""
    try:
        header = read_header(g.Memory(data, tells_size=False))
    except TrustError:
        return
    assert header.file_size is None


def test_the_claims_of_an_endless_stream_are_limited():
    """A source that never ends and never says its size."""

    class Endless(g.Memory):
        def read_at(self, offset: int, count: int) -> bytes:
            self.reads.append((offset, count))
            part = self.data[offset : offset + count]
            return part + bytes(count - len(part))

    for start in (
        entry(array(g.STRING, 1 << 40)),
        entry(array(g.STRING, (1 << 21) + 1)),
        entry(array(g.UINT8, 1 << 40)),
        entry(text(1 << 40)),
        g.build(counts=(65536, 0)),
        g.build(counts=(0, 4096)),
    ):
        source = Endless(start, tells_size=False)
        with pytest.raises(TrustError):
            read_header(source)
        assert sum(count for _, count in source.reads) <= 128 << 20


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([(f"t{i}", "x" * (1 << 20)) for i in range(5)], "of text"),
        ([(f"n{i}", [1] * 1024) for i in range(65)], "65536 values"),
    ],
    ids=["much text", "many numbers"],
)
def test_what_is_kept_is_limited(rows: list[tuple[str, Any]], says: str):
    with pytest.raises(TrustError, match=says):
        read_header(g.Memory(g.build(rows)))


SEED = g.build(
    [
        ("general.architecture", "llama"),
        ("general.alignment", 32),
        ("llama.block_count", 2),
        ("llama.attention.head_count_kv", [8, 8]),
        ("flag", True),
        ("tokens", ["t"] * 70),
    ],
    g.placed([("a.weight", (32, 2), g.Q4_0), ("b.weight", (8,), g.F32)]),
)
NUMBERS = st.sampled_from([0, 1, 2, 31, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, HUGE])


def reads_or_refuses(data: bytes) -> None:
    for tells_size in (True, False):
        try:
            header = read_header(g.Memory(data, tells_size=tells_size))
        except TrustError as error:
            assert error.why
            assert error.next_step
        else:
            assert all(tensor.size > 0 for tensor in header.tensors)


@given(st.integers(0, len(SEED)))
def test_cut_off_anywhere(length: int):
    with pytest.raises(TrustError):
        read_header(g.Memory(SEED[:length][:-1]))


@given(st.lists(st.tuples(st.integers(0, len(SEED) - 1), st.binary(min_size=1, max_size=8))))
def test_any_bytes_changed(changes: list[tuple[int, bytes]]):
    data = bytearray(SEED)
    for at, new in changes:
        data[at : at + len(new)] = new
    reads_or_refuses(bytes(data))


@given(st.integers(4, len(SEED) - 9), NUMBERS, st.sampled_from(["<I", "<Q", ">Q"]))
def test_any_number_replaced_by_an_extreme_one(at: int, number: int, form: str):
    data = bytearray(SEED)
    struct.pack_into(form, data, at, number & (2**32 - 1 if form == "<I" else HUGE))
    reads_or_refuses(bytes(data))


@given(st.binary(max_size=400), st.sampled_from([b"", SEED[:8], SEED[:24], SEED[:60]]))
@example(b"", b"")
def test_any_bytes_at_all(data: bytes, start: bytes):
    reads_or_refuses(start + data)


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
SCALARS = st.one_of(
    st.text(max_size=20),
    st.booleans(),
    st.integers(0, 2**32 - 1),
    st.floats(width=32, allow_nan=False),
)
SHAPES = st.lists(st.integers(1, 9), max_size=4).map(tuple)


@given(
    st.dictionaries(NAMES, SCALARS, max_size=8),
    st.dictionaries(NAMES, SHAPES, max_size=8),
    st.sampled_from("<>"),
    st.sampled_from([2, 3]),
)
def test_every_right_file_is_read_as_it_was_written(
    metadata: dict[str, Any], shapes: dict[str, tuple[int, ...]], order: str, version: int
):
    shapes = {name: shape for name, shape in shapes.items() if len(name.encode()) < 64}
    rows = g.placed([(name, shape, g.F16) for name, shape in shapes.items()])
    header = read_header(
        g.Memory(g.build(list(metadata.items()), rows, order=order, version=version))
    )
    assert header.metadata == metadata
    assert {tensor.name: tensor.shape for tensor in header.tensors} == shapes
