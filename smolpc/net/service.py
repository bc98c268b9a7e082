"""Talking JSON with one server: short questions, and answers that come line by line.

A server on this machine or in its network is asked directly, never through a proxy, and a
redirect is an error: what is said to a model stays where the user sent it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from smolpc.errors import NetworkError
from smolpc.net.http import session
from smolpc.net.places import host_of, is_nearby
from smolpc.net.settings import NetSettings

if TYPE_CHECKING:
    import requests

CONNECT = 5.0  # seconds
SILENCE = 900.0  # seconds without a byte: a large model is loaded from a slow disk meanwhile
LONGEST = 16 << 20  # bytes of a line
AGAIN_AFTER = 0.1  # seconds between attempts to connect


class Unreachable(NetworkError):
    """Nobody answers at the address."""


class Answered(NetworkError):
    """The server answered with an error: HTTP `status`, and `message` in its own words."""

    def __init__(self, place: str, status: int, message: str, body: Any = None) -> None:
        super().__init__(f"{place} answered with HTTP {status}", why=message)
        self.status, self.message, self.body = status, message, body


class Broken(NetworkError):
    """The connection ended in the middle of an answer."""


class Service:
    """One server. `patience` is how long (seconds) a refused connection is tried again: the
    server may be starting. Safe to use from several threads."""

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        patience: float = 0.0,
        settings: NetSettings | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.patience = patience
        chosen = settings or NetSettings.from_environment()
        self._settings = replace(chosen, direct=chosen.direct or is_nearby(url))
        self._headers = {"Content-Type": "application/json", "Connection": "close"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return host_of(self.url)

    def get(self, path: str, *, timeout: float = CONNECT) -> Any:
        """The JSON at `path`. Raises NetworkError: Unreachable, Answered or Broken."""
        return self._whole("GET", path, None, timeout)

    def post(self, path: str, body: Any, *, timeout: float = SILENCE) -> Any:
        """The JSON that answers `body`. Raises as `get`."""
        return self._whole("POST", path, body, timeout)

    def lines(self, path: str, body: Any, *, method: str = "POST") -> Lines:
        """The lines that answer `body`, as they come. Raises as `get`."""
        return Lines(self._ask(method, path, body, SILENCE), self.place)

    def _whole(self, method: str, path: str, body: Any, timeout: float) -> Any:
        answer = self._ask(method, path, body, timeout)
        with Lines(answer, self.place) as lines:
            return _decoded(b"\n".join(lines), self.place)

    def _ask(self, method: str, path: str, body: Any, timeout: float) -> requests.Response:
        import requests
        import urllib3

        # Model servers hang up after an answer: a connection that is used again may be gone.
        asking = session(self._settings)
        asking.trust_env = False  # no password of ~/.netrc goes to this server
        give_up = time.monotonic() + self.patience
        while True:
            try:
                response = asking.request(
                    method,
                    self.url + path,
                    data=None if body is None else msgspec.json.encode(body),
                    headers=self._headers,
                    timeout=(CONNECT, timeout),
                    stream=True,
                    allow_redirects=False,
                )
                break
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                refused = isinstance(_cause(error), ConnectionRefusedError)
                if not refused or time.monotonic() >= give_up:
                    raise Unreachable(
                        f"nobody answers at {self.place}", why=_root(error)
                    ) from error
            time.sleep(AGAIN_AFTER)
        if response.status_code != 200:
            with Lines(response, self.place) as lines:
                raise self._answered(response, b"\n".join(lines))
        return response

    def _answered(self, response: requests.Response, body: bytes) -> Answered:
        status = response.status_code
        if 300 <= status < 400:
            elsewhere = host_of(response.headers.get("Location", "")) or "elsewhere"
            return Answered(
                self.place, status, f"it sends us to {elsewhere}, which is not followed"
            )
        try:
            found = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return Answered(self.place, status, body[:200].decode("utf-8", "replace").strip())
        return Answered(self.place, status, error_text(found), found)


class Lines:
    """The lines of an answer, without their ends. `cancel` ends it, from any thread."""

    def __init__(self, response: requests.Response, place: str) -> None:
        self._response, self._place = response, place
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def __iter__(self) -> Iterator[bytes]:
        import requests
        import urllib3

        rest = bytearray()
        try:
            for chunk in self._response.iter_content(None):
                rest += chunk
                *whole, last = rest.split(b"\n")
                rest = bytearray(last)
                for line in whole:
                    if self.cancelled:
                        return
                    yield bytes(line)
                if len(rest) > LONGEST:
                    raise Broken(f"{self._place} sent a line without an end")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if self.cancelled:
                return
            raise Broken(f"the answer of {self._place} broke off", why=_root(error)) from error
        if rest and not self.cancelled:
            yield bytes(rest)

    def cancel(self) -> None:
        """End the answer: a reader that waits for the next line wakes up."""
        self._cancelled.set()
        # The connection may be done already, or the server is faster.
        with contextlib.suppress(OSError, RuntimeError, ValueError, AttributeError):
            self._response.raw.shutdown()

    def close(self) -> None:
        self._response.close()

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def error_text(body: Any) -> str:
    """What an error object says: `{"error": "..."}` or `{"error": {"message": "..."}}`."""
    found = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(found, dict):
        found = found.get("message", "")
    return str(found)[:2000]


def _decoded(body: bytes, place: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Broken(f"{place} did not answer in JSON", why=str(error)) from error


def _cause(error: BaseException) -> OSError | None:
    """What the operating system said, inside the wrappers of requests and urllib3."""
    seen: BaseException | None = error
    while seen is not None:
        if type(seen).__module__ in ("builtins", "socket") and isinstance(seen, OSError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _root(error: BaseException) -> str:
    """The reason, in the words of the operating system where it gave one."""
    from smolpc.net.faults import root_of
    from smolpc.proc import mask

    cause = _cause(error)
    return cause.strerror.lower() if cause and cause.strerror else mask(str(root_of(error)))
