"""Questions to a server nearby."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from smolpc.net import direct


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            return
        if self.path == "/noise":
            self.wfile.write(b"\x00\x01\x02 this is not HTTP\r\n\r\n")
            return
        self.send_response(503 if self.path == "/health" else 200)
        self.end_headers()
        self.wfile.write((self.headers["Authorization"] or "nobody").encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port(loopback: None) -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_status_body_and_key(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:3128")  # it would never answer
    assert direct.get("127.0.0.1", port, "/health") == (503, b"nobody")
    assert direct.get("127.0.0.1", port, "/", api_key="k") == (200, b"Bearer k")


@pytest.mark.parametrize("path", ["/cut", "/noise"])
def test_a_broken_answer_is_an_oserror(port: int, path: str) -> None:
    with pytest.raises(OSError):
        direct.get("127.0.0.1", port, path)


def test_nobody_there(port: int) -> None:
    with pytest.raises(OSError):
        direct.get("127.0.0.1", 9, "/")
