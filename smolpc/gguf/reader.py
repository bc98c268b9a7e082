"""Read the header of one GGUF file: versions 2 and 3, either byte order, any source.

What the pinned engine refuses is refused here too (ggml/src/gguf.cpp, gguf_init_from_reader):
a header that was read describes a file that the engine can open. The format:
docs/gguf.md of the ggml project.
"""

from __future__ import annotations

from collections.abc import Mapping

from smolpc.gguf.cursor import LONGEST_TEXT, Cursor
from smolpc.gguf.source import Source
from smolpc.gguf.types import BY_ID, REMOVED
from smolpc.schema.gguf import Elided, GgufHeader, Metadata, Scalar, Tensor

DEFAULT_ALIGNMENT = 32
LARGEST_ALIGNMENT = 1 << 20  # real files use 32; a memory page is 4 KiB to 64 KiB
LONGEST_KEY = 65535  # bytes, by the format
LONGEST_NAME = 63  # bytes of a tensor name; GGML_MAX_NAME with its zero is 64
MOST_KEYS, MOST_TENSORS = 4096, 65536
MOST_DIMENSIONS = 4
KEPT_STRINGS, KEPT_NUMBERS = 64, 1024  # longer arrays are elided
MOST_ELEMENTS = 65536  # of all kept arrays together
LARGEST = (1 << 63) - 1  # the engine counts elements and bytes in signed 64 bits

ARRAY, STRING, BOOL, UINT32 = 9, 8, 7, 4
KINDS = {
    0: ("uint8", "B", 1),
    1: ("int8", "b", 1),
    2: ("uint16", "H", 2),
    3: ("int16", "h", 2),
    4: ("uint32", "I", 4),
    5: ("int32", "i", 4),
    6: ("float32", "f", 4),
    7: ("bool", "B", 1),
    8: ("string", "", 8),  # the length before the bytes
    10: ("uint64", "Q", 8),
    11: ("int64", "q", 8),
    12: ("float64", "d", 8),
}
SHORTEST_PAIR, SHORTEST_TENSOR = 14, 24  # bytes: key of one letter with a byte; a scalar


def read_header(source: Source) -> GgufHeader:
    """The header at the beginning of `source`; reads little more than the header itself.

    Raises TrustError when the file is not GGUF, is damaged, or could not be opened by the
    engine; for any file within about a second and 64 MiB. What `source` raises passes through.
    """
    return _Reader(Cursor(source)).read()


class _Reader:
    def __init__(self, cursor: Cursor) -> None:
        self.cursor, self.refuse = cursor, cursor.refuse
        self.elements_left = MOST_ELEMENTS
        self.alignment = DEFAULT_ALIGNMENT

    def read(self) -> GgufHeader:
        version = self._version()
        tensor_count, key_count = self.cursor.take("QQ")
        self._require(key_count, "metadata entries", SHORTEST_PAIR, MOST_KEYS)
        self._require(tensor_count, "tensors", SHORTEST_TENSOR, MOST_TENSORS)
        metadata = self._metadata(key_count)
        tensors = tuple(self._tensor() for _ in range(tensor_count))
        self._check_names(tensors)
        data_offset = self._padded(self.cursor.position) if tensors else self.cursor.position
        self._check_places(tensors, data_offset)
        return GgufHeader(
            version=version,
            big_endian=self.cursor.order == ">",
            alignment=self.alignment,
            metadata=metadata,
            tensors=tensors,
            data_offset=data_offset,
            file_size=self.cursor.source.size,
        )

    def _require(self, count: int, what: str, at_least: int, most: int) -> None:
        self.cursor.require(count, what, at_least)
        if count > most:
            self.refuse(f"it claims {count} {what}, more than the {most} allowed")

    def _version(self) -> int:
        magic = self.cursor.raw(4)
        if magic != b"GGUF":
            self.refuse("it does not begin with the letters GGUF")
        word = self.cursor.raw(4)
        if word[:2] == b"\0\0":  # the number is small: its zeros come first in big-endian files
            self.cursor.order = ">"
        version = int.from_bytes(word, "big" if self.cursor.order == ">" else "little")
        if version == 1:
            self.refuse("it is GGUF version 1, which the engine no longer reads: convert it again")
        if version not in (2, 3):
            self.refuse(f"it is GGUF version {version}; versions 2 and 3 can be read")
        return version

    def _metadata(self, count: int) -> dict[str, Metadata]:
        found: dict[str, Metadata] = {}
        for _ in range(count):
            key = self.cursor.text("a metadata key", LONGEST_KEY)
            if not key:
                self.refuse("a metadata key is empty")
            if key in found:
                self.refuse(f"the metadata key {_shown(key)} appears twice")
            (kind,) = self.cursor.take("I")
            if key == "general.alignment" and kind != UINT32:
                self.refuse("its general.alignment is not an unsigned 32 bit number")
            found[key] = self._array(key) if kind == ARRAY else self._value(key, kind)
        self._use(found)
        return found

    def _use(self, metadata: Mapping[str, Metadata]) -> None:
        """Check the values that decide how the rest is read."""
        if not isinstance(metadata.get("general.architecture", ""), str):
            self.refuse("its general.architecture is not a text")
        alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
        if (
            not isinstance(alignment, int)
            or not 0 < alignment <= LARGEST_ALIGNMENT
            or alignment & (alignment - 1)
        ):
            self.refuse(
                f"its alignment is {alignment}, not a power of two up to {LARGEST_ALIGNMENT}"
            )
        self.alignment = alignment

    def _kind(self, key: str, kind: int) -> tuple[str, str, int]:
        if kind == ARRAY:
            self.refuse(f"{_shown(key)} is an array of arrays, which the engine does not read")
        if kind not in KINDS:
            self.refuse(f"{_shown(key)} has the unknown value type {kind}")
        return KINDS[kind]

    def _value(self, key: str, kind: int) -> Scalar | Elided:
        _, form, _ = self._kind(key, kind)
        if kind == STRING:
            (length,) = self.cursor.take("Q")
            self.cursor.at -= 8
            if length > LONGEST_TEXT:  # some files carry a whole tokenizer.json
                self.cursor.skip(8)
                self.cursor.skip(self.cursor.require(length, f"bytes for {_shown(key)}", 1))
                return Elided(kind="text", count=length)
            return self.cursor.text(_shown(key))
        value: int | float = self.cursor.take(form)[0]
        return self._truth(key, value) if kind == BOOL else value

    def _truth(self, key: str, value: int | float) -> bool:
        if value not in (0, 1):
            self.refuse(f"{_shown(key)} is neither true nor false but {value}")
        return bool(value)

    def _array(self, key: str) -> tuple[Scalar, ...] | Elided:
        kind, count = self.cursor.take("IQ")
        name, form, size = self._kind(key, kind)
        self.cursor.require(count, f"elements of {_shown(key)}", size)
        if count > (KEPT_STRINGS if kind == STRING else KEPT_NUMBERS):
            if kind == STRING:
                self.cursor.skip_strings(count)
            else:
                self.cursor.skip(count * size)
            return Elided(kind=name, count=count)
        self.elements_left -= count
        if self.elements_left < 0:
            self.refuse(f"its metadata arrays hold more than {MOST_ELEMENTS} values")
        if kind == STRING:
            return tuple(self.cursor.text(f"an element of {_shown(key)}") for _ in range(count))
        values = self.cursor.take(f"{count}{form}")
        return tuple(self._truth(key, value) for value in values) if kind == BOOL else values

    def _tensor(self) -> Tensor:
        take = self.cursor.take
        name = self.cursor.text("a tensor name", LONGEST_NAME)
        (dimensions,) = take("I")
        if dimensions > MOST_DIMENSIONS:
            self.refuse(f"the tensor {_shown(name)} has {dimensions} dimensions")
        *shape, kind_id, offset = take(f"{dimensions}QIQ")
        kind = BY_ID.get(kind_id)
        if kind is None:
            removed = REMOVED.get(kind_id)
            self.refuse(
                f"the tensor {_shown(name)} has the unknown type {kind_id}"
                if removed is None
                else f"the tensor {_shown(name)} has the type {removed}, which the engine no longer"
                " reads: convert the model again"
            )
        count = 1
        for length in shape:
            count *= length
        if not 0 < count <= LARGEST:
            self.refuse(f"the tensor {_shown(name)} has the impossible shape {tuple(shape)}")
        if (shape[0] if shape else 1) % kind.block:
            self.refuse(
                f"the rows of the tensor {_shown(name)} are not whole blocks of {kind.block}"
            )
        size = count // kind.block * kind.size
        return Tensor(name=name, type=kind.name, shape=tuple(shape), offset=offset, size=size)

    def _check_names(self, tensors: tuple[Tensor, ...]) -> None:
        seen: set[str] = set()
        for tensor in tensors:
            if tensor.name in seen:
                self.refuse(f"the tensor {_shown(tensor.name)} appears twice")
            seen.add(tensor.name)

    def _padded(self, count: int) -> int:
        return -(-count // self.alignment) * self.alignment

    def _check_places(self, tensors: tuple[Tensor, ...], data_offset: int) -> None:
        """Tensors lie one after the other, each at the next aligned place, inside the file."""
        expected = end = 0
        for tensor in tensors:
            if tensor.offset != expected:
                self.refuse(self._misplaced(tensor, expected))
            end = expected + tensor.size
            expected = self._padded(end)
        size = self.cursor.source.size
        if size is not None and data_offset + end > size:
            self.refuse(f"its tensors take {data_offset + end} bytes, but the file has {size}")
        if data_offset + end > LARGEST:
            self.refuse(f"its tensors claim {data_offset + end} bytes, which no file can have")

    def _misplaced(self, tensor: Tensor, expected: int) -> str:
        name = _shown(tensor.name)
        if tensor.offset % self.alignment:
            return f"the tensor {name} is at {tensor.offset}, which is not aligned"
        if tensor.offset < expected:
            return f"the tensor {name} overlaps the one before it"
        return f"there is a gap before the tensor {name}, which the engine does not accept"


def _shown(name: str) -> str:
    """A name from the file, short and printable, for messages."""
    text = name if name.isprintable() else ascii(name)[1:-1]
    return text if len(text) <= 80 else text[:77] + "..."
