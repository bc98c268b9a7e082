"""A stream writes bytes only where they belong, whatever happens to its claim meanwhile."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from smolpc.net.fetch.board import Board
from smolpc.net.fetch.mirror import Mirror
from smolpc.net.fetch.stream import Stream

FILE = os.urandom(4096)
PIECE = 1000


class Body:
    """The rest of the file from a position, a piece at a time."""

    def __init__(self, start: int, on_read: Any) -> None:
        self.position, self.on_read = start, on_read
        self.whole = len(FILE)

    @property
    def left(self) -> int:
        return len(FILE) - self.position

    def read(self, buffer: memoryview) -> bytes:
        data = FILE[self.position : self.position + min(len(buffer), PIECE)]
        self.position += len(data)
        self.on_read()
        return data

    def finish(self) -> None: ...
    def hang_up(self) -> None: ...


def test_a_claim_that_was_cut_and_mended_between_two_reads_loses_no_byte(tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(bytes(len(FILE)))
    mirror = Mirror("http://a.example/m", 0)
    board = Board(len(FILE), 64, lambda *_: None)
    claim = board.claim(1, 0.0, lambda _: mirror)
    assert claim is not None
    starts: list[int] = []

    def cut_once() -> None:
        if len(starts) == 1 and claim.position == 0:  # another stream takes the end
            claim.end = PIECE // 2

    @contextlib.contextmanager
    def ask(wanted: Any, _: Any) -> Any:
        starts.append(wanted.position)
        yield Body(wanted.position, cut_once)

    def mend(_: int) -> float:  # and finds that the mirror serves no ranges
        board.mend(mirror)
        return 0.0

    boss: Any = SimpleNamespace(
        board=board,
        part=part,
        asker=SimpleNamespace(settings=SimpleNamespace(stall_timeout=30.0), ask=ask),
        piece=lambda most: most,
        throttle=mend,
        began=lambda *_: None,
    )
    stream = Stream(boss, 1)
    assert isinstance(stream, threading.Thread)
    with part.open("r+b", buffering=0) as out:
        stream._fill(claim, None, out)  # type: ignore[arg-type]
        board.mend(mirror)
        stream._fill(claim, None, out)  # type: ignore[arg-type]
    assert board.complete
    assert part.read_bytes() == FILE
