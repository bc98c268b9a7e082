"""A state file is read as it was written, or refused with a reason; nothing in between."""

from __future__ import annotations

import io
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.runtime.prefix import header
from smolpc.runtime.prefix.header import Damaged, Header
from smolpc.schema.base import canonical_json

KEY = "ab" * 32
TOKENS = [5, 0, 2**31 - 1, 7]
STATE = b"what the engine computed"


def whole(tokens: list[int] = TOKENS, state: bytes = STATE, exact: int = 0) -> bytes:
    return header.write(KEY, tokens, exact, state)[0] + state


def read(data: bytes, key: str = KEY, size: int | None = None) -> tuple[list[int], bytes]:
    stream = io.BytesIO(data)
    head, tokens = header.read(stream, len(data) if size is None else size, key)
    return list(tokens), bytes(header.read_state(stream, head, tokens))


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=50), st.binary(min_size=1))
def test_what_is_written_is_read(tokens: list[int], state: bytes) -> None:
    assert read(whole(tokens, state)) == (tokens, state)


@given(st.integers(0, len(whole()) - 1))
def test_a_file_that_was_cut_is_refused(length: int) -> None:
    with pytest.raises(Damaged):
        read(whole()[:length])
    with pytest.raises(Damaged):  # and when its size was taken before it was cut
        read(whole()[:length], size=len(whole()))


@given(st.integers(0, len(whole()) * 8 - 1))
def test_one_wrong_bit_is_found(bit: int) -> None:
    data = bytearray(whole(exact=2))
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Damaged):
        read(bytes(data))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Damaged):
        read(data)


def made(fields: dict[str, object], rest: bytes = b"") -> bytes:
    text = canonical_json(fields)
    return struct.pack("<8sII", header.MAGIC, header.FORMAT, len(text)) + text + rest


GOOD: dict[str, object] = {
    "key": KEY,
    "tokens": 1,
    "exact": 0,
    "state_bytes": 1,
    "sha256": "00" * 32,
}
HOSTILE = {
    "no file of ours": b"GGUF" + bytes(60),
    "another format": struct.pack("<8sII", header.MAGIC, header.FORMAT + 1, 2) + b"{}",
    "a huge header": struct.pack("<8sII", header.MAGIC, header.FORMAT, 2**32 - 1) + b"{}",
    "no JSON": struct.pack("<8sII", header.MAGIC, header.FORMAT, 4) + b"\xff\xfe{}",
    "deep JSON": struct.pack("<8sII", header.MAGIC, header.FORMAT, 4000) + b"[" * 4000,
    "fields missing": made({"key": KEY}),
    "a field too many": made({**GOOD, "more": 1}, bytes(5)),
    "no tokens": made({**GOOD, "tokens": 0}, bytes(5)),
    "negative numbers": made({**GOOD, "state_bytes": -1}, bytes(5)),
    "too many tokens": made({**GOOD, "tokens": 2**62}, bytes(5)),
    "a state without end": made({**GOOD, "state_bytes": 2**62}, bytes(5)),
    "a state larger than the file": made({**GOOD, "state_bytes": 10**9}, bytes(5)),
    "another key": made({**GOOD, "key": "cd" * 32}, bytes(5)),
    "more exact than there is": made({**GOOD, "exact": 2}, bytes(5)),
    "a negative token": made(GOOD, struct.pack("<i", -1) + b"x"),
    "another digest": made(GOOD, bytes(5)),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused_and_cost_little(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Damaged) as refused:
            read(data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert str(refused.value)
    assert most < 1_000_000


def test_spaces_in_the_header_are_refused() -> None:
    """One form only: what is hashed elsewhere by its name cannot be written in two ways."""
    head = Header(key=KEY, tokens=1, exact=0, state_bytes=1, sha256="00" * 32)
    text = canonical_json(head).replace(b",", b", ", 1)
    data = struct.pack("<8sII", header.MAGIC, header.FORMAT, len(text)) + text + bytes(5)
    with pytest.raises(Damaged, match="not as it was written"):
        read(data)
