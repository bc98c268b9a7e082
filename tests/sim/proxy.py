"""A forward proxy on 127.0.0.1: CONNECT and plain requests, with a login if wanted.

Every host name leads to one simulated server, so that a test can use names that do not
exist and see that only the proxy was asked.
"""

from __future__ import annotations

import base64
import socket
import threading
from types import TracebackType
from urllib.parse import urlsplit

REAL_SOCKET = socket.create_connection


class SimProxy:
    """Use as a context manager. `seen` holds "METHOD host:port" of every request."""

    def __init__(self, upstream: tuple[str, int], user: str = "") -> None:
        self.upstream, self.user = upstream, user
        self.seen: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> SimProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._listener.close()

    def url(self, user: str = "") -> str:
        login = f"{user}@" if user else ""
        return f"http://{login}127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                chunk = client.recv(65536)
                if not chunk:
                    return
                head += chunk
            first, _, rest = head.partition(b"\r\n")
            method, target, version = first.decode().split()
            self.seen.append(f"{method} {urlsplit(target).netloc or target}")
            if self.user and not self._logged_in(rest):
                client.sendall(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                    b'Proxy-Authenticate: Basic realm="sim"\r\n'
                    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
                )
                return
            with REAL_SOCKET(self.upstream) as server:
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    path = urlsplit(target).path or "/"
                    server.sendall(f"{method} {path} {version}\r\n".encode() + rest)
                self._relay(client, server)

    def _logged_in(self, headers: bytes) -> bool:
        expected = b"Proxy-Authorization: Basic " + base64.b64encode(self.user.encode())
        return expected.lower() in headers.lower()

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        upward = threading.Thread(target=_pump, args=(client, server), daemon=True)
        upward.start()
        _pump(server, client)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
