"""What the header of a GGUF file says, as values."""

from __future__ import annotations

from smolpc.schema.base import Bytes, Value


class Elided(Value, kw_only=True):
    """A long metadata array (such as the vocabulary) or text, of which only this is kept."""

    kind: str  # GGUF value type of the elements: "string", "float32", ...; "text": one text
    count: int  # elements; bytes of a text


Scalar = str | int | float | bool
Metadata = Scalar | tuple[Scalar, ...] | Elided


class Tensor(Value, kw_only=True):
    """One entry of the tensor table. `shape` is in ggml order: the contiguous axis first."""

    name: str
    type: str  # "Q4_K", "F16", ...: see smolpc.gguf.types
    shape: tuple[int, ...]
    offset: Bytes  # from the start of the data section of its file
    size: Bytes


class GgufHeader(Value, kw_only=True):
    """The header of one model; of all its parts together where the model is split."""

    version: int
    big_endian: bool = False
    alignment: int = 32
    metadata: dict[str, Metadata]
    tensors: tuple[Tensor, ...]
    data_offset: Bytes  # where the data section of the first file begins
    file_size: Bytes | None = None  # of all parts; None: the source did not say
    parts: int = 1

    @property
    def architecture(self) -> str:
        """`general.architecture`, or "" where the file does not say."""
        return str(self.metadata.get("general.architecture", ""))
