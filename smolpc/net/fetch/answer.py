"""Ask a mirror for a piece of the file, and look hard at the head of the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from smolpc.console import human_bytes
from smolpc.errors import NetworkError, TrustError
from smolpc.net import faults
from smolpc.net.fetch.board import Board, Claim
from smolpc.net.fetch.mirror import Mirror
from smolpc.net.http import opened
from smolpc.net.settings import NetSettings

if TYPE_CHECKING:
    import requests

RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
EXPIRED = (401, 403, 404, 410)  # what a signed URL says when its time is over


class Changed(Exception):
    """The mirror has another version of the file now."""


class NoRanges(Exception):
    """The mirror does not serve the piece that was asked for."""


class Expired(Exception):
    """The place that a redirect led to is gone: ask the original URL again."""


class Answer:
    """The body of an answer. `left`: bytes of it not read yet; `whole`: the size of the whole
    file; None: it does not say."""

    def __init__(self, response: requests.Response, start: int) -> None:
        self.raw = response.raw
        self.left, self.whole = _length(response, start), _whole(response)
        chunked = "Transfer-Encoding" in self.raw.headers
        self.has_end = self.left is not None or chunked
        # With a known length the bytes go from the socket straight into `buffer`. urllib3 has no
        # public way for that; without this one its own way is taken.
        self._http: Any = getattr(self.raw, "_fp", None)
        source = getattr(self._http, "fp", None)
        direct = self.left is not None and not chunked and hasattr(source, "readinto1")
        self._source = source if direct else None

    def read(self, buffer: memoryview) -> memoryview:
        """What has arrived, in the memory of `buffer` or not; empty at the end."""
        if self._source is not None and self.left is not None:
            count = self._into(buffer[: self.left], self._source)
            self.left -= count
            return buffer[:count]
        read = getattr(self.raw, "read1", self.raw.read)
        data = memoryview(read(len(buffer), decode_content=False))
        if self.left is not None:
            self.left -= len(data)
        return data

    def _into(self, buffer: memoryview, source: Any) -> int:
        from urllib3.exceptions import ProtocolError

        try:
            count: int = source.readinto1(buffer)
        except (OSError, ValueError) as error:  # ValueError: hung up from another thread
            raise ProtocolError(f"connection broken: {error}", error) from error
        if buffer and not count:
            raise ProtocolError(f"the connection ended {self.left} bytes too early")
        return count

    def finish(self) -> None:
        """All was read: the connection may serve the next request."""
        if self._source is not None:  # tell those who did not see the bytes pass
            self._http.length = self.raw.length_remaining = 0
        self.raw.read(1, decode_content=False)

    def hang_up(self) -> None:
        """From another thread: end a read that waits."""
        self.raw.shutdown()


def _length(response: requests.Response, start: int) -> int | None:
    """Bytes of the body. Raises NoRanges when it is not the piece that was asked for."""
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        given = re.fullmatch(
            r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)",
            response.headers.get("Content-Range", "").strip(),
        )
        if given is None or int(given[1]) != start or int(given[2]) < start:
            raise NoRanges
        return int(given[2]) - start + 1
    return _number(response.headers.get("Content-Length", ""))


def _number(text: str) -> int | None:
    """A number of bytes as a header states it; None where it states none that can be."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _whole(response: requests.Response) -> int | None:
    """The size of the whole file that the head of the answer states."""
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        text = response.headers.get("Content-Range", "").rpartition("/")[2]
    elif response.status_code == HTTPStatus.OK:
        text = response.headers.get("Content-Length", "")
    else:
        return None
    return _number(text)


class Asker:
    """Asks for the pieces of one file. `pinned`: its sha256 is known beforehand."""

    def __init__(self, board: Board, name: str, pinned: bool, settings: NetSettings) -> None:
        self.board, self.name, self.pinned, self.settings = board, name, pinned, settings
        self.size = board.size  # what the caller knows; the board's may be learned

    @contextmanager
    def ask(self, claim: Claim, made: requests.Session) -> Iterator[Answer]:
        """Raises Passing, Changed, NoRanges, Expired; NetworkError or TrustError when the
        mirror is of no use at all."""
        board, mirror = self.board, claim.mirror
        with board.lock:
            start, end, claim.version = claim.position, claim.end, mirror.version
            url, if_range, resolved = mirror.url, mirror.if_range, mirror.resolved
            whole = start == 0 and end >= board.end
        # identity: a digest is over the bytes of the file, not over a compressed transfer
        headers = {"Accept-Encoding": "identity"}
        if not whole:  # a plain request is what a caching proxy can answer
            headers["Range"] = f"bytes={start}-" + ("" if end >= board.end else f"{end - 1}")
            if if_range:
                headers["If-Range"] = if_range
        accept: tuple[int, ...] = (200, 206) if whole else (200, 206, 416)
        accept += EXPIRED if resolved else ()
        with opened(resolved or url, self.settings, headers, accept, made) as response:
            if response.status_code in EXPIRED:
                raise Expired
            with board.lock:
                self._look(response, mirror, whole)
                if not whole and not self.pinned and not if_range:
                    raise NoRanges  # nothing says that this piece belongs to the others
                answer = Answer(response, start)
                mirror.ranges = True if response.status_code == 206 else mirror.ranges
                self._need_one_piece(response, mirror)
                if response.history and not resolved:
                    mirror.resolved = response.url
            if not answer.has_end and not self.pinned:
                raise NetworkError(
                    f"{mirror.host} does not say how long {self.name} is",
                    why="an end that came too early could not be noticed, and its sha256 is"
                    " not known",
                    next_step=faults.AGAIN,
                )
            yield answer

    def _look(self, response: requests.Response, mirror: Mirror, whole: bool) -> None:
        """Is this the file, and the piece that was asked for? A page that some box on the way
        put in its place must not cost the bytes that are there, so that comes first."""
        if response.headers.get("Content-Type", "").startswith("text/html"):
            mirror.hint = "the answer is a web page, perhaps a login page of this network"
        size = _whole(response)
        if self.size is not None and size is not None and size != self.size:
            got = human_bytes(size) if size > self.size else str(size)
            raise not_pinned(self.name, mirror, f"expected {self.size} bytes, got {got}")
        if mirror.hint and (not whole or not self.pinned) and not self._is_page(mirror):
            raise NetworkError(
                f"{mirror.host} sent a web page instead of {self.name}",
                why=mirror.hint,
                next_step="open the address in a browser and log in, then run the same"
                " command again",
            )
        if mirror.told(response.headers):
            raise Changed
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise NoRanges
        if response.status_code == HTTPStatus.OK and not whole:
            raise NoRanges

    @staticmethod
    def _is_page(mirror: Mirror) -> bool:
        return PurePosixPath(urlsplit(mirror.url).path).suffix in (".html", ".htm")

    def _need_one_piece(self, response: requests.Response, mirror: Mirror) -> None:
        """Without a digest only a validator tells that two answers are of one file."""
        if response.headers.get("Accept-Ranges", "").lower() == "none" or (
            not self.pinned and not mirror.if_range
        ):
            mirror.ranges = False


def not_pinned(name: str, mirror: Mirror, why: str) -> TrustError:
    return TrustError(
        f"{name} from {mirror.host or mirror.place} is not the pinned file",
        why=why + (f"; {mirror.hint}" if mirror.hint else ""),
        next_step="run the same command again; if it says the same, do not use this source",
    )
