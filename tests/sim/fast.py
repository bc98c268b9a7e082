"""A server for measurements: one big file over sendfile, in a process of its own.

    python -m tests.sim.fast FILE [--rate BYTES_PER_SECOND_AND_CONNECTION]

prints its port and serves until its standard input closes. No faults; see `server` for those.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
import threading
import time
from pathlib import Path

PIECE = 1 << 20  # bytes a call
TURN = 0.01  # seconds of the rate that are sent at once


def _head(start: int, end: int, size: int, partial: bool) -> bytes:
    status = "206 Partial Content" if partial else "200 OK"
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {end - start}", 'ETag: "fast"']
    if partial:
        lines.append(f"Content-Range: bytes {start}-{end - 1}/{size}")
    return "\r\n".join([*lines, "Accept-Ranges: bytes", "\r\n"]).encode()


def _send(client: socket.socket, source: int, start: int, end: int, rate: int) -> None:
    began, first = time.monotonic(), start
    while start < end:
        if rate:
            time.sleep(max(0.0, began + (start - first) / rate - time.monotonic()))
        most = min(end - start, int(rate * TURN) if rate else PIECE)
        start += os.sendfile(client.fileno(), source, start, most)


def _serve(client: socket.socket, source: int, size: int, rate: int) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    waiting = b""
    while True:
        while b"\r\n\r\n" not in waiting:
            if not (data := client.recv(65536)):
                return
            waiting += data
        head, _, waiting = waiting.partition(b"\r\n\r\n")
        asked = re.search(rb"(?i)range: bytes=(\d+)-(\d*)", head)
        start = int(asked[1]) if asked else 0
        end = min(int(asked[2]) + 1, size) if asked and asked[2] else size
        client.sendall(_head(start, end, size, asked is not None))
        if not head.startswith(b"HEAD"):
            _send(client, source, start, end, rate)


def _quietly(client: socket.socket, source: int, size: int, rate: int) -> None:
    with client:
        try:
            _serve(client, source, size, rate)
        except OSError:
            return  # the other side hung up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rate", type=int, default=0)
    args = parser.parse_args()
    source, size = os.open(args.file, os.O_RDONLY), args.file.stat().st_size
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            job = (client, source, size, args.rate)
            threading.Thread(target=_quietly, args=job, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
