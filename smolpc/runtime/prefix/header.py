"""The form of a state file, and a reader that trusts nothing in it.

    8 bytes   b"smolpcKV"
    uint32    format of the file, little endian
    uint32    length of the header
    header    JSON of `Header`
    tokens    int32 each, little endian
    state     what the engine wrote

The digest covers everything but itself. It finds damage; that nobody else wrote the file is a
matter of its owner and of the folder's mode (see `shelf`).
"""

from __future__ import annotations

import hashlib
import struct
import sys
from array import array
from collections.abc import Sequence
from typing import Annotated, BinaryIO

import msgspec

from smolpc.schema.base import Sha256, Value, canonical_json

MAGIC = b"smolpcKV"
FORMAT = 2
START = struct.Struct("<8sII")
LONGEST_HEADER = 4096  # bytes
MOST_TOKENS = 1 << 20
LARGEST_STATE = 1 << 34  # bytes


class Damaged(Exception):
    """The file is not what was written. The text says what is wrong, as the end of a sentence."""


class Header(Value, kw_only=True):
    """What a state file says about itself."""

    key: Sha256  # of the model, the engine and the settings
    tokens: Annotated[int, msgspec.Meta(ge=1, le=MOST_TOKENS)]
    exact: Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]  # see `matching`
    state_bytes: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_STATE)]
    sha256: Sha256  # of the numbers above, the tokens and the state

    @property
    def file_bytes(self) -> int:
        return START.size + len(canonical_json(self)) + 4 * self.tokens + self.state_bytes


def _packed(tokens: Sequence[int]) -> bytes:
    """Token ids as int32, little endian."""
    numbers = array("i", tokens)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def tokens_digest(tokens: Sequence[int]) -> str:
    """sha256 (hex) of token ids: the name of their file."""
    return hashlib.sha256(_packed(tokens)).hexdigest()


def _digest(key: str, exact: int, packed: bytes, state: bytes | bytearray) -> str:
    digest = hashlib.sha256(f"{key} {exact} {len(packed)} {len(state)}\n".encode() + packed)
    digest.update(state)
    return digest.hexdigest()


def write(
    key: str, tokens: Sequence[int], exact: int, state: bytes | bytearray
) -> tuple[bytes, Header]:
    """Everything that stands before the state in the file, and the header in it."""
    packed = _packed(tokens)
    header = Header(
        key=key,
        tokens=len(tokens),
        exact=exact,
        state_bytes=len(state),
        sha256=_digest(key, exact, packed, state),
    )
    text = canonical_json(header)
    return START.pack(MAGIC, FORMAT, len(text)) + text + packed, header


def read(stream: BinaryIO, size: int, key: str) -> tuple[Header, array[int]]:
    """Header and token ids of a file of `size` bytes; the stream then stands at the state.

    Reads at most a few MB, whatever the file says. Raises Damaged.
    """
    magic, version, length = START.unpack(_exactly(stream, START.size))
    if magic != MAGIC:
        raise Damaged("it is no state file")
    if version != FORMAT:
        raise Damaged(f"it has format {version}, not {FORMAT}")
    if length > LONGEST_HEADER:
        raise Damaged(f"its header claims {length} bytes")
    text = _exactly(stream, length)
    try:
        header = msgspec.json.decode(text, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Damaged(f"its header cannot be read: {error}") from error
    if canonical_json(header) != text:
        raise Damaged("its header is not as it was written")
    if header.key != key:
        raise Damaged("it belongs to another model, engine or setting")
    if header.file_bytes != size:
        raise Damaged(f"it has {size} bytes instead of {header.file_bytes}")
    tokens = array("i")
    tokens.frombytes(_exactly(stream, 4 * header.tokens))
    if sys.byteorder == "big":
        tokens.byteswap()
    if min(tokens) < 0 or header.exact > header.tokens:
        raise Damaged("its token numbers are impossible")
    return header, tokens


def read_state(stream: BinaryIO, header: Header, tokens: Sequence[int]) -> bytearray:
    """The state that follows, after its digest was checked. Raises Damaged."""
    state = bytearray(header.state_bytes)
    with memoryview(state) as view:
        done = 0
        while done < len(view):
            count = stream.readinto(view[done:])  # type: ignore[attr-defined]
            if not count:
                raise Damaged("it ends too early")
            done += count
    if _digest(header.key, header.exact, _packed(tokens), state) != header.sha256:
        raise Damaged("its content does not have the recorded sha256")
    return state


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise Damaged("it ends too early")
    return data
