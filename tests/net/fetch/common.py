"""What the tests of the download manager share: a file, a recorder, small chunks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from smolpc.console import Silent
from smolpc.errors import Interrupted
from smolpc.net import ChunkDigests, Fetched, Options
from tests.sim.server import (
    Crawl,
    Fault,
    IgnoreRange,
    Redirect,
    Reset,
    Resource,
    SimServer,
    Stall,
    Status,
    Truncate,
    WrongRange,
)

CHUNK = 1 << 16
DATA = bytes(range(251)) * 4100  # 1 MB, and no two chunks are alike
SIZE = len(DATA)
SHA = hashlib.sha256(DATA).hexdigest()
OTHER = DATA[::-1]
DIGESTS = ChunkDigests(
    CHUNK,
    tuple(
        hashlib.sha256(DATA[start : start + CHUNK]).hexdigest() for start in range(0, SIZE, CHUNK)
    ),
)
SMALL = Options(chunk=CHUNK)
FOUR = Options(chunk=CHUNK, streams=4)

Bring = Callable[..., Fetched]


class Recorder(Silent):
    """Keeps what was shown; `stop_at` bytes ends the work as Ctrl-C in a pool does."""

    def __init__(self, stop_at: float = float("inf")) -> None:
        self.notes: list[str] = []
        self.shown: list[float] = []
        self.stop_at = stop_at

    def note(self, text: str) -> None:
        self.notes.append(text)

    def check(self) -> None:
        if self.shown and self.shown[-1] >= self.stop_at:
            raise Interrupted("interrupted")

    @contextmanager
    def task(self, title: str, *, total: float | None = None, unit: str = "B") -> Any:
        recorder = self

        class Task:
            def update(self, done: float, total: float | None = None) -> None:
                recorder.shown.append(done)

        yield Task()


def nothing_left(target: Path) -> bool:
    names = {path.name for path in target.parent.iterdir()}
    return names <= {target.name, f".{target.name}.lock"}


def slow(server: SimServer, **options: Any) -> Resource:
    """About half a second for one connection."""
    return server.add("/m", DATA, rate=2_000_000, **options)


def asked(server: SimServer) -> list[str]:
    return [request.headers.get("range", "") for request in server.log]


def stop_early(bring: Bring, *urls: str, **changes: Any) -> Recorder:
    recorder = Recorder(stop_at=SIZE // 3)
    with pytest.raises(Interrupted) as caught:
        bring(*urls, reporter=recorder, **changes)
    assert "run the same command again" in caught.value.next_step
    assert caught.value.why
    return recorder


FAULTS: list[list[Fault]] = [
    [Truncate(1000)] * 3,
    [Truncate(0)],
    [Reset(70_000)] * 3,
    [Stall(70_000)],
    [Crawl(70_000)],
    [Status(503, "0"), Status(429, "0")],
    [WrongRange()] * 2,
    [IgnoreRange()],
    [Truncate(1000), Status(416)],
    [Redirect("/elsewhere")] * 4,
    [Truncate(5000), IgnoreRange(), Status(502)],
]
