"""What the simulated model servers share: HTTP, streams, faults, a start that takes time."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Status:
    """The next answer is this code and message."""

    code: int
    message: str = ""


@dataclass(frozen=True)
class Redirect:
    to: str


@dataclass(frozen=True)
class Say:
    """The next stream reports an error after `after` pieces."""

    message: str
    after: int = 0


@dataclass(frozen=True)
class Cut:
    """The next stream ends after `after` pieces; `clean` as if it were complete."""

    after: int = 0
    clean: bool = False


Fault = Status | Redirect | Say | Cut
STREAMS = ("generate", "chat", "completion", "completions", "pull")


@dataclass
class Call:
    """One request."""

    handler: BaseHTTPRequestHandler
    server: ModelServer
    method: str
    path: str
    body: dict[str, Any]
    fault: Fault | None = None

    def text(self, status: int, text: str, kind: str = "text/plain", **headers: str) -> None:
        data = text.encode()
        self.handler.send_response(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            self.handler.send_header(name, value)
        self.handler.send_header("Content-Length", str(len(data)))
        self.handler.end_headers()
        self.handler.wfile.write(data)

    def json(self, body: Any, status: int = 200) -> None:
        self.text(status, json.dumps(body), "application/json")

    def stream(self, pieces: Iterator[bytes], kind: str) -> None:
        self.handler.send_response(200)
        self.handler.send_header("Content-Type", kind)
        self.handler.send_header("Transfer-Encoding", "chunked")
        self.handler.end_headers()
        for number, piece in enumerate(pieces):
            if isinstance(self.fault, Say | Cut) and number == self.fault.after:
                break
            self._chunk(piece)
            self.server.sent += 1
            time.sleep(self.server.pause)
        if isinstance(self.fault, Say):
            self._chunk(self.server.error_line(self.fault.message))
        if isinstance(self.fault, Cut) and not self.fault.clean:
            self.handler.connection.shutdown(socket.SHUT_RDWR)
            return
        self.handler.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        self.handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.handler.wfile.flush()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the second packet of each answer waits 40 ms
    server: _Server

    def _handle(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(size)
        sim = self.server.sim
        call = Call(self, sim, self.command, self.path, json.loads(data) if data else {})
        sim.log.append((call.path, call.body))
        sim.headers.append({name.lower(): value for name, value in self.headers.items()})
        if sim.faults and call.path.rpartition("/")[2] in STREAMS:
            call.fault = sim.faults.popleft()
        if isinstance(call.fault, Redirect):
            call.text(307, "", Location=call.fault.to)
        elif isinstance(call.fault, Status):
            call.text(
                call.fault.code, sim.error_line(call.fault.message).decode(), "application/json"
            )
        else:
            sim.answer(call)

    do_GET = do_POST = _handle

    def log_message(self, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    sim: ModelServer

    def server_bind(self) -> None:  # the inherited one looks the host name up
        self.allow_reuse_address = True
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hangs up is what tests are about


@dataclass
class ModelServer:
    """`start_after` seconds pass before it listens, `load_seconds` before a model answers the
    first time, `pause` after each piece. Faults meet the streams, in order. `sent` counts
    the pieces that were handed to the network."""

    start_after: float = 0.0
    load_seconds: float = 0.0
    pause: float = 0.0
    faults: deque[Fault] = field(default_factory=deque)
    log: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    sent: int = 0

    def answer(self, call: Call) -> None:
        raise NotImplementedError

    def error_line(self, message: str) -> bytes:
        raise NotImplementedError

    def fail(self, *faults: Fault) -> None:
        self.faults.extend(faults)

    def asked(self, path: str) -> list[dict[str, Any]]:
        """The bodies of the requests to `path`."""
        return [body for found, body in self.log if found == path]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Any:
        self._server = _Server(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self._server.sim = self
        self._server.server_bind()
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._serve, daemon=True)
        if not self.start_after:
            self._server.server_activate()
        self._thread.start()
        return self

    def _serve(self) -> None:
        if self.start_after:
            time.sleep(self.start_after)
            self._server.server_activate()
        self._server.serve_forever(poll_interval=0.02)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
