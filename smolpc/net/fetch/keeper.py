"""Keeps the part file and its state safe on the disk while the streams go on."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from smolpc import files
from smolpc.net.fetch.board import Board
from smolpc.net.fetch.mirror import Mirror
from smolpc.net.fetch.spans import Spans
from smolpc.net.fetch.state import Journal

SHARE = 10  # pause this many times as long as the flush took ...
LONGEST_PAUSE = 1.0  # ... but not longer: a disk slower than the network must keep writing
TICK = 0.05  # seconds
AT_LEAST_EVERY = 10.0  # seconds, while anything arrives

flush = getattr(os, "fdatasync", os.fsync)  # not on macOS and Windows


class Keeper(threading.Thread):
    """Flushes as soon as a chunk has arrived, unless that would take more than a tenth of
    the time. What a power cut costs is what arrived since."""

    def __init__(
        self,
        board: Board,
        part: Path,
        journal: Journal,
        mirrors: list[Mirror],
        crashed: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name="download state", daemon=True)
        self.board, self.journal, self.mirrors, self.crashed = board, journal, mirrors, crashed
        self.part = part
        self.stopping = threading.Event()
        self._saving = threading.Lock()
        self._safe = board.done.total

    def stop(self) -> None:
        self.stopping.set()

    def run(self) -> None:
        try:
            saved, pause = time.monotonic(), TICK
            while not self.stopping.wait(pause):
                start = time.monotonic()
                with self.board.lock:
                    total = self.board.done.total
                fresh = total - self._safe
                pause = TICK
                if fresh >= self.board.chunk or (fresh > 0 and start - saved > AT_LEAST_EVERY):
                    self.save()
                    saved = time.monotonic()
                    pause = max(TICK, min(SHARE * (saved - start), LONGEST_PAUSE))
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self.crashed(error)

    def save(self) -> None:
        """Flush the data, then claim it. Returns when a power cut cannot take it away."""
        with self._saving:
            while not self._saved():
                pass

    def _saved(self) -> bool:
        """False: bytes were taken back meanwhile, so that the claim would be wrong."""
        board = self.board
        with board.lock:
            version, size = board.taken_back, board.size
            claimed = {mirror: spans.copy() for mirror, spans in board.by.items()}
            known = [(mirror, mirror.validators) for mirror in self.mirrors]
            total = board.done.total
        with self.part.open("r+b", buffering=0) as stream:
            flush(stream.fileno())
        self.journal.prepare(size, known, claimed)
        with board.lock:
            if board.taken_back != version:
                return False
            self.journal.swap(
                {
                    mirror: spans.minus(claimed.get(mirror, Spans()))
                    for mirror, spans in board.by.items()
                }
            )
            self._safe = total
        files.fsync_folder(self.part.parent)
        return True
