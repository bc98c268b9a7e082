"""The sha256 of the file, taken from the page cache closely behind the streams.

The state of a sha256 cannot be stored, so after an interruption the kept bytes are read and
hashed again while the rest is on its way: disks are faster than networks.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from smolpc.net.fetch.board import Board
from smolpc.net.fetch.options import ChunkDigests

BUFFER = 256 << 10  # bytes


class Hasher(threading.Thread):
    """`digest` is the sha256 (hex) once every byte has passed.

    `wrong_chunk(start, end)` is called, with the board's lock held, for a chunk that is not
    the pinned one; it takes the bytes back or raises.
    """

    def __init__(
        self,
        board: Board,
        part: Path,
        chunks: ChunkDigests | None,
        wrong_chunk: Callable[[int, int], None],
        crashed: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name="download hash", daemon=True)
        self.board, self.part, self.chunks = board, part, chunks
        self.wrong_chunk, self.crashed = wrong_chunk, crashed
        self.digest = ""
        self.position = 0
        self.stopping = False
        self._whole = hashlib.sha256()
        self._seen = 0
        self._buffer = memoryview(bytearray(BUFFER))

    def stop(self) -> None:
        with self.board.lock:
            self.stopping = True
            self.board.arrived.notify_all()

    def run(self) -> None:
        try:
            with self.part.open("rb", buffering=0) as stream:
                while self._step(stream):
                    pass
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self.crashed(error)

    def _step(self, stream: BinaryIO) -> bool:
        board = self.board
        with board.lock:
            end = self._ready()
            while end is None and not self.stopping:
                board.arrived.wait()
                end = self._ready()
            if end is None or self.stopping:
                return False
            if end == self.position:
                self.digest = self._whole.hexdigest()
                board.work.notify_all()
                return False
        if self.chunks is None:
            self._read(stream, end, self._whole)
        else:
            self._check(stream, end, self.chunks)
        return True

    def _ready(self) -> int | None:
        """Up to where bytes can be hashed now; None: wait; the position itself: all are."""
        board = self.board
        if board.taken_back != self._seen:
            self._seen = board.taken_back
            self._whole, self.position = hashlib.sha256(), 0
        if self.position == board.size:
            return self.position
        end = board.done.reach(self.position)
        if self.chunks is not None and board.size is not None:
            whole = min(self.position + self.chunks.size, board.size)
            end = whole if end >= whole else self.position
        return end if end > self.position else None

    def _read(self, stream: BinaryIO, end: int, *digests: hashlib._Hash) -> None:
        stream.seek(self.position)
        while self.position < end:
            count = stream.readinto(self._buffer[: end - self.position])  # type: ignore[attr-defined]
            if not count:
                raise OSError(f"{self.part.name} became shorter while it was read")
            for digest in digests:
                digest.update(self._buffer[:count])
            self.position += count

    def _check(self, stream: BinaryIO, end: int, chunks: ChunkDigests) -> None:
        """One chunk: the hash of the file goes on only over chunks that are right."""
        start, before, chunk = self.position, self._whole.copy(), hashlib.sha256()
        self._read(stream, end, self._whole, chunk)
        index = start // chunks.size
        if index < len(chunks.sha256) and chunk.hexdigest() == chunks.sha256[index]:
            return
        with self.board.lock:
            self._whole, self.position = before, start
            if self.board.taken_back == self._seen:
                self.wrong_chunk(start, end)
                self._seen = self.board.taken_back
