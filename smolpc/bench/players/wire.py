"""The leanest client of a streaming server: read lines, note when they came, nothing else.

What a line means is found out afterwards, so that reading it costs the server's figures
nothing. A real client is slower.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from smolpc.errors import NetworkError

SILENCE = 900.0  # seconds


class Line(NamedTuple):
    at: float  # perf_counter
    text: bytes


def stream(
    url: str, body: Any, headers: Mapping[str, str] | None = None
) -> tuple[float, list[Line]]:
    """When the question was asked (`perf_counter`, seconds), and the lines of the answer.

    Asked directly, never through a proxy. Raises NetworkError.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    data = msgspec.json.encode(body)
    sent = {"Content-Type": "application/json", **(headers or {})}
    now = time.perf_counter
    started, lines = now(), list[Line]()
    connection = kind(parts.hostname or "", parts.port, timeout=SILENCE)
    try:
        connection.request("POST", parts.path or "/", data, sent)
        answer = connection.getresponse()
        if answer.status != 200:
            said = answer.read(2000).decode("utf-8", "replace")
            raise NetworkError(
                f"{parts.netloc} answered with HTTP {answer.status}",
                why=said,
                next_step="smolpc backends.list",
            )
        for line in answer:
            lines.append(Line(now(), line))
    except (OSError, http.client.HTTPException) as error:
        raise NetworkError(
            f"{parts.hostname}:{parts.port} did not answer to its end",
            why=str(error) or type(error).__name__,
            next_step="smolpc backends.list",
        ) from error
    finally:
        connection.close()
    return started, lines
