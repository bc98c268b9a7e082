"""Models cut into several GGUF files: `name-00001-of-00003.gguf` and its siblings.

Source: llama_split_path in llama.cpp and the loader's checks in llama-model-loader.cpp. The
metadata of the model is in the first part; every part has its own tensors and data section.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from msgspec.structs import replace

from smolpc.errors import NetworkError, TrustError, UsageError
from smolpc.gguf.reader import MOST_TENSORS, read_header
from smolpc.gguf.source import Source
from smolpc.schema.gguf import GgufHeader, Tensor

MOST_PARTS = 1024

Open = Callable[[str], AbstractContextManager[Source]]


def part_name(prefix: str, number: int, count: int) -> str:
    """The file name of part `number`, the first being 1."""
    return f"{prefix}-{number:05d}-of-{count:05d}.gguf"


def read_model(filename: str, opened: Open) -> GgufHeader:
    """The header of the model whose file, or any part of it, is called `filename`.

    `opened(name)` opens the file of that name in the model's folder. Raises TrustError when
    the parts do not belong together, and what `opened` raises, with the missing part's name.
    """
    with opened(filename) as source:
        given = read_header(source)
        shown = source.name
    count = _number(given, "split.count", shown)
    if count <= 1:
        return given
    if count > MOST_PARTS:
        raise _refused(shown, f"it claims {count} parts, more than the {MOST_PARTS} allowed")
    number = _number(given, "split.no", shown) + 1
    suffix = part_name("", number, count)
    if number > count or not filename.endswith(suffix):
        raise _refused(
            shown, f"it says it is part {number} of {count}: its name would end with {suffix}"
        )
    prefix = filename.removesuffix(suffix)

    def part(other: int) -> GgufHeader:
        name = part_name(prefix, other, count)
        return given if other == number else _part(name, other, count, opened)

    model = _Joined(part(1), shown)
    for other in range(2, count + 1):
        model.add(part(other))
    return model.header()


def _part(filename: str, number: int, count: int, opened: Open) -> GgufHeader:
    try:
        with opened(filename) as source:
            header, shown = read_header(source), source.name
    except (UsageError, NetworkError) as error:
        raise type(error)(
            f"part {number} of {count} of this model cannot be read: {filename}",
            why=str(error),
            next_step=error.next_step,
        ) from error
    found = (_number(header, "split.no", shown) + 1, _number(header, "split.count", shown))
    if found != (number, count):
        raise _refused(
            shown, f"it says it is part {found[0]} of {found[1]}, not {number} of {count}"
        )
    return header


class _Joined:
    """The parts so far. Of all but the first only tensors and size are kept."""

    def __init__(self, first: GgufHeader, shown: str) -> None:
        self.first, self.shown = first, shown
        self.parts = 0
        self.tensors: dict[str, Tensor] = {}
        self.size: int | None = 0
        self.add(first)

    def add(self, part: GgufHeader) -> None:
        if (part.version, part.big_endian) != (self.first.version, self.first.big_endian):
            raise _refused(self.shown, "its parts differ in version or byte order")
        before = len(self.tensors)
        self.tensors.update((tensor.name, tensor) for tensor in part.tensors)
        if len(self.tensors) != before + len(part.tensors):
            raise _refused(self.shown, "a tensor is in two of its parts")
        if len(self.tensors) > MOST_TENSORS:
            raise _refused(self.shown, f"its parts hold more than {MOST_TENSORS} tensors")
        if self.size is not None:
            self.size = None if part.file_size is None else self.size + part.file_size
        self.parts += 1

    def header(self) -> GgufHeader:
        promised, found = _number(self.first, "split.tensors.count", self.shown), len(self.tensors)
        if promised != found:
            raise _refused(self.shown, f"{promised} tensors were promised, its parts hold {found}")
        tensors = tuple(self.tensors.values())
        return replace(self.first, tensors=tensors, file_size=self.size, parts=self.parts)


def _number(header: GgufHeader, key: str, shown: str) -> int:
    """A count in the metadata; 0 where the file does not have it."""
    value = header.metadata.get(key, 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _refused(shown, f"its {key} is not a number")
    return value


def _refused(shown: str, why: str) -> TrustError:
    return TrustError(
        f"{shown} is not a part of a model that can be used",
        why=why,
        next_step="get all parts again from the same origin, unchanged in name"
        " (smolpc models.list names the models that can be had verified)",
    )
