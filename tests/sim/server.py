"""A web server on 127.0.0.1 that misbehaves on demand.

    server.add("/big.bin", data).fail(Truncate(1000), Status(503))

serves `/big.bin` truncated once, then 503 once, then well. Every request is in
`server.log`. `server.index(...)` shows registered files as a package index.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal

PIECE = 1 << 16  # bytes sent at once


@dataclass(frozen=True)
class Status:
    """Answer with this code and no file."""

    code: int
    retry_after: str = ""


@dataclass(frozen=True)
class Truncate:
    """Promise the whole file, close the connection in good order after `after` bytes."""

    after: int


@dataclass(frozen=True)
class Reset:
    """Break the connection (RST) after `after` bytes."""

    after: int


@dataclass(frozen=True)
class Stall:
    """Fall silent after `after` bytes, until the server stops."""

    after: int


@dataclass(frozen=True)
class Corrupt:
    """Send the file with the byte at `at` changed."""

    at: int


@dataclass(frozen=True)
class WrongRange:
    """Answer a range request with other bytes than were asked for, and say so."""


@dataclass(frozen=True)
class Redirect:
    to: str


@dataclass(frozen=True)
class Replace:
    """From this request on the file has other bytes and another ETag."""

    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Headers:
    """Answer as always, but with these headers."""

    changed: dict[str, str]


@dataclass(frozen=True)
class WebPage:
    """A login page with code 200, as captive portals send."""


@dataclass(frozen=True)
class Crawl:
    """After `after` bytes send one byte every 20 ms: never silent, never done."""

    after: int


@dataclass(frozen=True)
class IgnoreRange:
    """Answer with the whole file, whatever was asked for."""


Fault = (
    Status
    | Truncate
    | Reset
    | Stall
    | Corrupt
    | WrongRange
    | Redirect
    | Replace
    | WebPage
    | Headers
    | Crawl
    | IgnoreRange
)


@dataclass
class Resource:
    """One file, and the faults of the next requests to it, in order. `sent` counts the bytes
    of its bodies that were handed to the network."""

    data: bytes
    content_type: str = "application/octet-stream"
    ranges: bool = True
    length: bool = True  # False: no Content-Length, the end of the connection is the end
    user: str = ""  # "name:password" when a login is needed
    faults: deque[Fault] = field(default_factory=deque)
    tag: str = ""  # the ETag to state; "": one of the data
    token: str = ""  # when a bearer token is needed
    rate: int = 0  # bytes per second of each connection; 0: as fast as it goes
    latency: float = 0.0  # seconds before an answer begins
    keep_alive: bool = False
    most_connections: int = 0  # more get 503; 0: no limit
    etag_form: Literal["strong", "weak", "none"] = "strong"
    modified: str = ""  # Last-Modified
    sent: int = 0
    serving: int = 0  # answers on their way
    most_serving: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def etag(self) -> str:
        if self.tag or self.etag_form == "none":
            return self.tag
        weak = "W/" if self.etag_form == "weak" else ""
        return f'{weak}"{hashlib.sha256(self.data).hexdigest()[:16]}"'

    def fail(self, *faults: Fault, times: int = 1) -> Resource:
        self.faults.extend(faults * times)
        return self


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]  # names in lower case
    status: int


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.simulator.connections += 1

    def do_GET(self) -> None:
        self.server.simulator.answer(self)

    def log_message(self, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    simulator: SimServer

    def server_bind(self) -> None:  # the inherited one looks the host name up
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # broken connections are what tests are about


class SimServer:
    """Use as a context manager. With `tls`, `ca_file` is the private CA to trust."""

    def __init__(
        self, tls: ssl.SSLContext | None = None, ca_file: str = "", *, send_buffer: int = 0
    ) -> None:
        self.resources: dict[str, Resource] = {}
        self.log: list[Request] = []
        self.connections = 0
        self.stopping = threading.Event()
        self.ca_file = ca_file
        self._scheme = "https" if tls else "http"
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.simulator = self
        if send_buffer:  # of each connection, in bytes
            self._server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> SimServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._server.server_port

    def url(self, path: str, user: str = "") -> str:
        login = f"{user}@" if user else ""
        return f"{self._scheme}://{login}127.0.0.1:{self._server.server_port}{path}"

    def add(self, path: str, data: bytes, **options: Any) -> Resource:
        self.resources[path] = Resource(data, **options)
        return self.resources[path]

    def requests(self, path: str) -> list[Request]:
        return [request for request in self.log if request.path == path]

    def index(
        self,
        project: str,
        paths: list[str],
        *,
        root: str = "/simple",
        form: Literal["json", "html"] = "json",
        claimed: str | None = None,
        user: str = "",
    ) -> str:
        """A page of the simple API at `root` that lists registered files; the index's URL.

        `claimed` is the sha256 the page states (None: the true one, "": none at all).
        """
        rows = []
        for path in paths:
            digest = hashlib.sha256(self.resources[path].data).hexdigest()
            rows.append((path.rpartition("/")[2], path, digest if claimed is None else claimed))
        if form == "json":
            import json

            found = [
                {"filename": name, "url": path, "hashes": {"sha256": digest} if digest else {}}
                for name, path, digest in rows
            ]
            page = json.dumps(
                {"meta": {"api-version": "1.0"}, "name": project, "files": found}
            ).encode()
            kind = "application/vnd.pypi.simple.v1+json"
        else:
            anchors = "".join(
                f'<a href="{"../.." + path}{"#sha256=" + digest if digest else ""}">{name}</a><br/>'
                for name, path, digest in rows
            )
            page = f"<!DOCTYPE html><html><body>{anchors}</body></html>".encode()
            kind = "text/html; charset=utf-8"
        self.add(f"{root}/{project}/", page, content_type=kind, user=user)
        return self.url(root, user)

    def answer(self, handler: _Handler) -> None:
        """One request. An answer closes its connection, unless the resource keeps it."""
        handler.close_connection = True
        headers = {name.lower(): value for name, value in handler.headers.items()}
        path = handler.path.partition("?")[0]
        resource = self.resources.get(path)
        fault = resource.faults.popleft() if resource and resource.faults else None
        if resource is None:
            self._reply(handler, path, headers, None, fault)
            return
        self.stopping.wait(resource.latency)
        with resource.lock:
            resource.serving += 1
            busy = 0 < resource.most_connections < resource.serving
            resource.most_serving = max(resource.most_serving, resource.serving)
        try:
            self._reply(handler, path, headers, resource, Status(503) if busy else fault)
        finally:
            with resource.lock:
                resource.serving -= 1

    def _reply(
        self,
        handler: _Handler,
        path: str,
        headers: dict[str, str],
        resource: Resource | None,
        fault: Fault | None,
    ) -> None:
        status, head, body = self._plan(resource, fault, headers)
        self.log.append(Request(path, headers, status))
        handler.send_response(status)
        if resource and resource.keep_alive and "Content-Length" in head and fault is None:
            handler.close_connection = False
        else:
            head["Connection"] = "close"
        for name, value in head.items():
            handler.send_header(name, value)
        handler.end_headers()
        self._send(handler, body, fault, resource)

    def _plan(
        self, resource: Resource | None, fault: Fault | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        nothing = {"Content-Length": "0"}
        if resource is None:
            return 404, nothing, b""
        expected = "Basic " + base64.b64encode(resource.user.encode()).decode()
        if resource.user and headers.get("authorization") != expected:
            return 401, {**nothing, "WWW-Authenticate": 'Basic realm="sim"'}, b""
        if resource.token and headers.get("authorization") != f"Bearer {resource.token}":
            return 401, nothing, b""
        match fault:
            case Status(code, retry_after):
                return code, nothing | ({"Retry-After": retry_after} if retry_after else {}), b""
            case Redirect(to):
                return 302, {**nothing, "Location": to}, b""
            case WebPage():
                page = b"<html>please log in</html>"
                return 200, {"Content-Type": "text/html", "Content-Length": str(len(page))}, page
            case Replace(data):
                resource.data = data
        status, head, body = self._file(resource, fault, headers)
        if resource.length:
            head["Content-Length"] = str(len(body))
        if isinstance(fault, Headers):
            head |= fault.changed
        return status, head, body

    def _file(
        self, resource: Resource, fault: Fault | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        data = resource.data
        if isinstance(fault, Corrupt):
            data = data[: fault.at] + bytes([data[fault.at] ^ 1]) + data[fault.at + 1 :]
        head = {"Content-Type": resource.content_type, "ETag": resource.etag}
        head["Last-Modified"] = resource.modified
        head = {name: value for name, value in head.items() if value}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
        if not asked or not resource.ranges or isinstance(fault, IgnoreRange):
            return 200, head, data
        if not self._same(headers.get("if-range", ""), resource):
            return 200, head, data
        start, end = int(asked[1]), int(asked[2] or len(data) - 1) + 1
        if start >= len(data):
            return 416, {**head, "Content-Range": f"bytes */{len(data)}"}, b""
        if isinstance(fault, WrongRange):
            start = max(0, start - 7)
        end = min(end, len(data))
        head["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        return 206, head, data[start:end]

    @staticmethod
    def _same(if_range: str, resource: Resource) -> bool:
        """RFC 9110, section 13.1.5: a weak ETag never matches."""
        if if_range.startswith('"'):
            return if_range == resource.etag
        return if_range == resource.modified if if_range else True

    def _send(
        self, handler: _Handler, body: bytes, fault: Fault | None, resource: Resource | None
    ) -> None:
        after = getattr(fault, "after", len(body))
        rate = resource.rate if resource else 0
        began, position = time.monotonic(), 0
        view = memoryview(body) if isinstance(body, bytes) else body  # others know slices only
        while position < min(after, len(body)) and not self.stopping.is_set():
            piece = view[position : min(after, position + max(1, rate // 100 if rate else PIECE))]
            handler.wfile.write(piece)
            position += len(piece)
            if resource:
                with resource.lock:
                    resource.sent += len(piece)
            if rate:
                self.stopping.wait(max(0.0, began + position / rate - time.monotonic()))
        while isinstance(fault, Crawl) and not self.stopping.wait(0.02):
            handler.wfile.write(b"\0")
        if isinstance(fault, Stall):
            self.stopping.wait()
        if isinstance(fault, Reset):
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()
