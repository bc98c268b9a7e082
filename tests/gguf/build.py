"""Writes GGUF headers, right or wrong ones. Nothing here uses smolpc: the reader is tested
against the format, not against itself.

    build([("general.architecture", "llama")], [("w", (32,), 0, 0)])

Values choose their type (str, bool, int: uint32, float: float32, list: array of its first
element's type) unless they are a `Typed`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

UINT8, INT8, UINT16, INT16, UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, UINT64, INT64, FLOAT64 = (
    range(13)
)
FORMS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}

F32, F16, Q4_0, Q8_0, Q4_K, Q6_K = 0, 1, 2, 8, 12, 14
BLOCKS = {
    F32: (1, 4),
    F16: (1, 2),
    Q4_0: (32, 18),
    Q8_0: (32, 34),
    Q4_K: (256, 144),
    Q6_K: (256, 210),
}


@dataclass(frozen=True)
class Typed:
    """A value with its type spelled out; of an array `kind` is the type of the elements."""

    kind: int
    value: Any
    count: int | None = None  # what an array claims to hold; None: the truth
    array: bool = False


@dataclass(frozen=True)
class Raw:
    """Bytes as they are, after the key: type and value."""

    data: bytes


TensorRow = tuple[str, tuple[int, ...], int, int]  # name, shape, type, offset


class Writer:
    def __init__(self, order: str = "<") -> None:
        self.order = order

    def number(self, form: str, *values: Any) -> bytes:
        return struct.pack(self.order + form, *values)

    def string(self, text: str | bytes) -> bytes:
        data = text if isinstance(text, bytes) else text.encode()
        return self.number("Q", len(data)) + data

    def scalar(self, kind: int, value: Any) -> bytes:
        return self.string(value) if kind == STRING else self.number(FORMS[kind], value)

    def value(self, value: Any) -> bytes:
        if isinstance(value, Raw):
            return value.data
        if isinstance(value, list):
            value = Typed(kind_of(value[0]), value, array=True)
        if not isinstance(value, Typed):
            value = Typed(kind_of(value), value)
        if not value.array:
            return self.number("I", value.kind) + self.scalar(value.kind, value.value)
        count = len(value.value) if value.count is None else value.count
        elements = b"".join(self.scalar(value.kind, element) for element in value.value)
        return self.number("IIQ", ARRAY, value.kind, count) + elements

    def tensor(self, name: str | bytes, shape: tuple[int, ...], kind: int, offset: int) -> bytes:
        numbers = self.number(f"I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        return self.string(name) + numbers


def kind_of(value: Any) -> int:
    if isinstance(value, str | bytes):
        return STRING
    if isinstance(value, bool):
        return BOOL
    return UINT32 if isinstance(value, int) else FLOAT32


def size_of(shape: Sequence[int], kind: int) -> int:
    block, size = BLOCKS[kind]
    count = 1
    for length in shape:
        count *= length
    return count // block * size


def padded(count: int, alignment: int) -> int:
    return -(-count // alignment) * alignment


def placed(
    tensors: Sequence[tuple[str, tuple[int, ...], int]], alignment: int = 32
) -> list[TensorRow]:
    """The tensors, each at the next aligned place."""
    rows, at = [], 0
    for name, shape, kind in tensors:
        rows.append((name, shape, kind, at))
        at = padded(at + size_of(shape, kind), alignment)
    return rows


def build(
    metadata: Sequence[tuple[Any, Any]] = (),
    tensors: Sequence[TensorRow] = (),
    *,
    version: int = 3,
    order: str = "<",
    magic: bytes = b"GGUF",
    counts: tuple[int, int] | None = None,
    alignment: int = 32,
    data: bool = True,
) -> bytes:
    """A file. `counts` (tensors, entries) replaces the true ones; `data`: zeros as weights."""
    writer = Writer(order)
    head = magic + writer.number("I", version)
    head += writer.number("QQ", *(counts or (len(tensors), len(metadata))))
    head += b"".join(writer.string(key) + writer.value(value) for key, value in metadata)
    head += b"".join(writer.tensor(*row) for row in tensors)
    if not (data and tensors):
        return head
    head += bytes(-len(head) % alignment)
    _, shape, kind, offset = tensors[-1]
    return head + bytes(offset + size_of(shape, kind))


class Memory:
    """A source over bytes that counts what is read. `tells_size` False: like a stream."""

    name = "memory.gguf"

    def __init__(self, data: bytes, *, tells_size: bool = True) -> None:
        self.data = data
        self.size = len(data) if tells_size else None
        self.reads: list[tuple[int, int]] = []

    def read_at(self, offset: int, count: int) -> bytes:
        self.reads.append((offset, count))
        return bytes(self.data[offset : offset + count])


class WithZeros:
    """Bytes, followed by zeros up to `size`: a huge file without a disk. For slicing only."""

    def __init__(self, head: bytes, size: int) -> None:
        self.head, self.size = head, size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, place: slice) -> bytes:
        start, stop, _ = place.indices(self.size)
        part = self.head[start:stop]
        return part + bytes(stop - start - len(part))
