"""Random access to a file on a web server, for reading headers: a few MB of many GB.

Asks for ranges (RFC 9110, section 14). A server that does not know ranges sends the whole
file from its beginning: then only as much as is needed is taken from that one answer.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING

from smolpc.errors import NetworkError
from smolpc.net.http import opened
from smolpc.net.places import shown
from smolpc.net.settings import NetSettings

if TYPE_CHECKING:
    import requests

CHUNK = 1 << 16
READ_AHEAD = 1 << 18  # bytes; what a small read brings along, for the next ones
CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)")


class RangeSource:
    """A `smolpc.gguf.Source` over HTTP. Close it, or use it as a context manager.

    `size` is known after the first read, if the server says it. `transferred` counts the
    bytes of all answers. Raises NetworkError; also when the file changes between two reads.
    """

    def __init__(self, url: str, settings: NetSettings) -> None:
        self.url, self.settings = url, settings
        self.name = shown(url)
        self.size: int | None = None
        self.transferred = 0
        self._state: tuple[str, str] | None = None  # ETag and Last-Modified of the file
        self._ranges = True
        self._body: Generator[bytes] | None = None  # the answer that is being read
        self._at = 0  # where its next byte belongs
        self._start, self._buffer = 0, b""

    def __enter__(self) -> RangeSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection. Reading on opens another one."""
        if self._body is not None:
            self._body.close()
        self._body = None

    def read_at(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset`; fewer only at the end of the file."""
        known = offset - self._start
        kept = self._buffer[known:] if 0 <= known <= len(self._buffer) else b""
        if len(kept) < count:
            self._start, self._buffer = offset, b""
            kept = self._buffer = self._fetch(offset, max(count, READ_AHEAD), kept)
        return kept[:count]

    def _fetch(self, offset: int, count: int, kept: bytes) -> bytes:
        from smolpc.net.faults import Passing, Patience

        patience = Patience(self.settings)
        got = bytearray(kept)
        while len(got) < count and (self.size is None or offset + len(got) < self.size):
            try:
                self._more(offset + len(got), offset + count, got)
            except Passing as fault:
                self.close()
                patience.failed(fault, len(got))
        return bytes(got)

    def _more(self, at: int, end: int, got: bytearray) -> None:
        """Append bytes from `at` on, from the open answer where it can give them."""
        if self._body is None or self._at > at or (self._ranges and self._at < at):
            self.close()
            self._body = self._answer(at, end)
        for chunk in self._body:
            begin, self._at = self._at, self._at + len(chunk)
            if self._at > at:
                got += chunk[max(at - begin, 0) :]
            if self._at >= end:
                if self._ranges:
                    self.close()  # all that was asked for
                return
        self._body = None
        if not self._ranges and self.size is None:
            self.size = self._at  # nobody said it before: the answer ended in good order
        elif self._at < min(end, end if self.size is None else self.size):
            raise self._passing("the answer ended early")

    def _answer(self, at: int, end: int) -> Generator[bytes]:
        """One answer, piece by piece. Sets `_at` to where its first byte belongs."""
        # identity: offsets are those of the file, not of a compressed transfer
        headers = {"Accept-Encoding": "identity"}
        if self._ranges:
            last = end - 1 if self.size is None else min(end, self.size) - 1
            headers["Range"] = f"bytes={at}-{last}"
            etag = self._state[0] if self._state else ""
            if etag and not etag.startswith("W/"):
                headers["If-Range"] = etag
        with opened(self.url, self.settings, headers, accept=(200, 206, 416)) as response:
            left = self._begin(response, at, end)
            while left is None or left > 0:
                chunk = response.raw.read(
                    CHUNK if left is None else min(CHUNK, left), decode_content=False
                )
                if not chunk:
                    return
                self.transferred += len(chunk)
                left = None if left is None else left - len(chunk)
                yield chunk

    def _begin(self, response: requests.Response, at: int, end: int) -> int | None:
        """Look at the head of an answer. Returns how many bytes of it to read; None: all."""
        self._refuse_other(response)
        given = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        total = int(given[3]) if given and given[3] != "*" else None
        if response.status_code == 200:
            length = response.headers.get("Content-Length", "")
            self._check_same(response, int(length) if re.fullmatch(r"\d{1,18}", length) else None)
            self._ranges, self._at = False, 0
            return None
        if response.status_code == 416 and total is not None and total <= at:
            self._check_same(response, total)
            self._at = end
            return 0
        if response.status_code == 416 or not given or not given[1] or int(given[1]) != at:
            self._ranges = False
            raise self._passing("it sent another part of the file than was asked for")
        self._check_same(response, total)
        self._at = at
        return min(int(given[2]) + 1, end) - at

    def _refuse_other(self, response: requests.Response) -> None:
        from smolpc.net.faults import AGAIN

        why = ""
        if response.headers.get("Content-Type", "").startswith("text/html"):
            why = "the answer is a web page, perhaps a login page of this network"
        elif response.headers.get("Content-Encoding", "identity") != "identity":
            why = "the answer is compressed, although that was not asked for"
        if why:
            raise NetworkError(
                f"the answer for {self.name} is not that file", why=why, next_step=AGAIN
            )

    def _check_same(self, response: requests.Response, size: int | None) -> None:
        """Raise NetworkError when this answer is about other bytes than those before."""
        same = size is None or self.size is None or size == self.size
        if response.status_code != 416:  # it is about a range; many servers name no file then
            state = (response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""))
            before = self._state = self._state or state
            same &= state[0] == before[0] if state[0] and before[0] else state == before
        if not same:
            raise NetworkError(
                f"{self.name} changed while it was read",
                why="the server now has another file under this name",
                next_step="run the same command again",
            )
        self.size = self.size if size is None else size

    def _passing(self, why: str) -> Exception:
        from smolpc.net import faults

        error = NetworkError(
            f"no complete answer from {faults.way(self.url, self.settings)}",
            why=why,
            next_step=faults.AGAIN,
        )
        return faults.Passing(error)
