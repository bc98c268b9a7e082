"""Streams for asyncio: one that nobody holds any more ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Generator
from typing import Any

from smolpc.runtime.stream import AsyncStream, Stream
from smolpc.schema.running import Piece


def test_leaving_the_loop_ends_the_answer() -> None:
    stopped, ended = threading.Event(), threading.Event()

    def endless() -> Generator[Piece, None, Any]:
        try:
            for _ in range(500):
                if stopped.is_set():
                    break
                yield Piece(text="word")
                time.sleep(0.01)
        finally:
            ended.set()

    async def scenario() -> bool:
        async for _ in AsyncStream(lambda: Stream(endless(), stopped)):
            break
        return await asyncio.to_thread(ended.wait, 2)

    assert asyncio.run(scenario())
    assert stopped.is_set()
