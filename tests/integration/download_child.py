"""A download in a process of its own, which a test may kill at any moment."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import requests  # noqa: F401 - imported once, in the process that the children are forked from
from urllib3.connection import HTTPConnection

import smolpc.net.fetch.crew  # noqa: F401
from smolpc import net
from smolpc.console import Silent
from smolpc.errors import SmolpcError

BUFFER = 32 << 10  # bytes; Linux doubles it for its own bookkeeping


def main(urls: list[str], target: str, answer: str, given: dict[str, Any]) -> None:
    """Writes what came out of it into the file `answer`, which is there whole or not at all."""
    digests = given.pop("digests")
    chunks = net.ChunkDigests(given["chunk"], tuple(digests)) if digests else None
    options = net.Options(
        chunk=given.pop("chunk"), streams=given.pop("streams"), chunk_digests=chunks
    )
    # As little as possible on the way: the test counts what the server has sent.
    HTTPConnection.default_socket_options = [
        *HTTPConnection.default_socket_options,
        (socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER),
    ]
    settings = net.NetSettings(
        backoff=0.01, attempts=6, stall_timeout=given.pop("stall_timeout", 0.4), connect_timeout=5
    )
    start = time.monotonic()
    try:
        done = net.download(
            urls,
            Path(target),
            reporter=Silent(),
            title="download",
            settings=settings,
            options=options,
            **given,
        )
        result: dict[str, Any] = {"received": done.received, "sha256": done.sha256}
    except SmolpcError as error:
        result = {"error": [type(error).__name__, error.what, error.why, error.next_step]}
    result["seconds"] = time.monotonic() - start
    path = Path(answer)
    path.with_suffix(".new").write_text(json.dumps(result), encoding="utf-8")
    os.replace(path.with_suffix(".new"), path)  # noqa: PTH105
