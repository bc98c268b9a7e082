"""An answer while it is being made, for loops and for asyncio."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from types import TracebackType

from smolpc.schema.result import RunResult
from smolpc.schema.running import Piece

Pieces = Generator[Piece, None, RunResult]


class Stream(Iterator[Piece]):
    """Iterate over it for the pieces; `result` has the whole text, usage and timings.

    The model works while the next piece is asked for. Leaving the loop early is fine: `close`
    (or the `with` block, or dropping the stream) gives the model to the next caller.
    """

    def __init__(self, pieces: Pieces, stopped: threading.Event) -> None:
        self._pieces, self._stopped = pieces, stopped
        self._result: RunResult | None = None
        self.done = False

    def __next__(self) -> Piece:
        try:
            return next(self._pieces)
        except StopIteration as end:
            if end.value is not None:
                self._result = end.value
            self.done = True
            raise StopIteration from None
        except BaseException:
            self.done = True
            raise

    def cancel(self) -> None:
        """End the answer at the next token, from any thread; `stop` will be "interrupted"."""
        self._stopped.set()

    @property
    def result(self) -> RunResult:
        """The finished answer; reads what is left of it first.

        Raises what the generation raised, and RuntimeError when the stream was closed early.
        """
        for _ in self:
            pass
        if self._result is None:
            raise RuntimeError("the stream was closed or failed before its end")
        return self._result

    def write_to(self, write: Callable[[str], object]) -> RunResult:
        """Give each piece's text to `write`, then return the result. Ctrl-C, in the engine or
        in `write`, ends the answer with what was said so far."""
        try:
            for piece in self:
                write(piece.text)
        except KeyboardInterrupt:
            self.cancel()
        return self.result

    def close(self) -> None:
        """Stop without a result. A second call does nothing."""
        self._stopped.set()
        self._pieces.close()
        self.done = True

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncStream(AsyncIterator[Piece]):
    """The same for asyncio: a thread of its own reads the stream that `start` makes.

    Leaving the loop, cancelling the task or `aclose` ends the answer at the next token.
    """

    def __init__(self, start: Callable[[], Stream]) -> None:
        self._start = start
        self._queue: asyncio.Queue[Piece | None] = asyncio.Queue()
        self._stream: Stream | None = None
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._cancelled = False

    async def __anext__(self) -> Piece:
        if self._thread is None:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._pump, args=(loop,), daemon=True)
            self._thread.start()
        try:
            piece = await self._queue.get()
        except BaseException:  # the task was cancelled
            self.cancel()
            raise
        if piece is None:
            self._queue.put_nowait(None)  # asking again ends again
            if self._error is not None:
                raise self._error
            raise StopAsyncIteration
        return piece

    def _pump(self, loop: asyncio.AbstractEventLoop) -> None:
        def hand(piece: Piece | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._queue.put_nowait, piece)

        try:
            self._stream = self._start()
            if self._cancelled:
                self._stream.cancel()
            for piece in self._stream:
                hand(piece)
        except BaseException as error:  # noqa: BLE001 - raised again where the task waits
            self._error = error
        finally:
            if self._stream is not None:
                self._stream.close()
            hand(None)

    def cancel(self) -> None:
        """End the answer at the next token, from any thread."""
        self._cancelled = True
        if self._stream is not None:
            self._stream.cancel()

    async def result(self) -> RunResult:
        """The finished answer; reads what is left of it first."""
        async for _ in self:
            pass
        if self._stream is None:
            raise RuntimeError("the stream was never started")
        return self._stream.result

    async def aclose(self) -> None:
        """Stop, and wait until the model is free again."""
        self.cancel()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def __del__(self) -> None:
        self.cancel()
