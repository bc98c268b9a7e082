"""Reads a header from front to back, in blocks, within limits that no file can move.

A hostile file chooses every number in it. So nothing here loops, allocates or reads in
proportion to a number before that number was compared with what the file can hold.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, NoReturn

from smolpc.console import human_bytes
from smolpc.errors import TrustError
from smolpc.gguf.source import Source

FIRST_BLOCK = 1 << 20  # bytes; the headers of small models fit into it
LARGEST_BLOCK = 4 << 20  # no more than this is read in vain at the end
LONGEST_HEADER = 128 << 20  # a vocabulary of 262144 tokens with merges takes about 30 MB
LONGEST_TEXT = 1 << 20  # a text that is kept; the longest chat templates have 100 kB
MOST_TEXT = 4 << 20  # all kept texts of one file together
MOST_STRINGS = 1 << 21  # elements of all string arrays; the largest tokenizers have 800000


class Cursor:
    """A position in `source` and the bytes around it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.order = "<"
        self.buffer = b""
        self.base = 0  # where the buffer begins in the file
        self.at = 0  # position inside the buffer; may lie beyond it after a skip
        self.block = FIRST_BLOCK
        self.text_left, self.strings_left = MOST_TEXT, MOST_STRINGS
        self._structs: dict[str, Struct] = {}

    @property
    def position(self) -> int:
        return self.base + self.at

    @property
    def left(self) -> int:
        """Bytes from here to the end of the file, or to the longest header allowed."""
        size = self.source.size
        end = LONGEST_HEADER if size is None else min(size, LONGEST_HEADER)
        return max(end - self.position, 0)

    def refuse(self, why: str) -> NoReturn:
        raise TrustError(
            f"{self.source.name} is not a model file that can be used",
            why=why,
            next_step="get the file again from its origin (smolpc models.list names the"
            " models that can be had verified)",
        )

    def require(self, count: int, what: str, at_least: int) -> int:
        """`count`, if that many things of `at_least` bytes can follow; refuses otherwise."""
        if count * at_least > self.left:
            self._too_short(f"it claims {count} {what}")
        return count

    def _too_short(self, claim: str) -> NoReturn:
        size = self.source.size
        if size is not None and size <= LONGEST_HEADER:
            self.refuse(f"{claim}, but the file ends after {size} bytes")
        self.refuse(f"{claim}: its header would exceed {human_bytes(LONGEST_HEADER)}")

    def need(self, count: int) -> None:
        """Have the next `count` bytes in the buffer."""
        if self.at + count <= len(self.buffer):
            return
        if count > self.left:
            self._too_short("its header is cut off or a length in it is wrong")
        position = self.position
        kept = self.buffer[self.at :]
        wanted = max(count - len(kept), min(self.block, self.left - len(kept)))
        self.block = min(self.block * 2, LARGEST_BLOCK)
        self.buffer, self.base, self.at = b"", position, 0
        self.buffer = kept + self.source.read_at(position + len(kept), wanted)
        if len(self.buffer) < count:
            self.refuse(f"its header is cut off after {position + len(self.buffer)} bytes")

    def take(self, form: str) -> tuple[Any, ...]:
        """The next numbers, by a `struct` format without byte order."""
        known = self._structs.get(form)
        if known is None:
            known = self._structs[form] = Struct(self.order + form)
        self.need(known.size)
        values = known.unpack_from(self.buffer, self.at)
        self.at += known.size
        return values

    def raw(self, count: int) -> bytes:
        self.need(count)
        self.at += count
        return self.buffer[self.at - count : self.at]

    def skip(self, count: int) -> None:
        """Go on, without reading what lies between."""
        if count > self.left:
            self._too_short(f"a value in its header takes {count} bytes")
        self.at += count

    def text(self, what: str, longest: int = LONGEST_TEXT) -> str:
        """A string: its length in bytes, then UTF-8."""
        (length,) = self.take("Q")
        if length > longest:
            self.require(length, f"bytes for {what}", 1)
            self.refuse(f"{what} is {length} bytes long, more than the {longest} allowed")
        self.text_left -= length
        if self.text_left < 0:
            self.refuse(f"its metadata holds more than {human_bytes(MOST_TEXT)} of text")
        try:
            return self.raw(length).decode()
        except UnicodeDecodeError:
            self.refuse(f"{what} is not valid UTF-8")

    def skip_strings(self, count: int) -> None:
        """Walk over `count` strings by their lengths: about 0.1 s for a million."""
        self.strings_left -= count
        if self.strings_left < 0:
            self.refuse(f"its arrays hold more than {MOST_STRINGS} strings")
        length_at = Struct(self.order + "Q").unpack_from
        while count:
            self.need(8)
            buffer, at, last = self.buffer, self.at, len(self.buffer) - 8
            before = count
            for count in range(before - 1, -1, -1):  # noqa: B007 - what is left after this one
                at += 8 + length_at(buffer, at)[0]
                if at > last:
                    break
            self.skip(at - self.at)
