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


class _Reader:
    """The thread that reads for an AsyncStream. It does not hold that one, so that an answer
    whose AsyncStream was dropped can end."""

    def __init__(self, start: Callable[[], Stream]) -> None:
        self._start = start
        self.queue: asyncio.Queue[Piece | None] = asyncio.Queue()
        self.stream: Stream | None = None
        self.error: BaseException | None = None
        self.thread: threading.Thread | None = None
        self._cancelled = False

    def begin(self) -> None:
        """Start the thread, once."""
        if self.thread is None:
            loop = asyncio.get_running_loop()
            self.thread = threading.Thread(target=self._pump, args=(loop,), daemon=True)
            self.thread.start()

    def _pump(self, loop: asyncio.AbstractEventLoop) -> None:
        def hand(piece: Piece | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self.queue.put_nowait, piece)

        try:
            self.stream = self._start()
            if self._cancelled:
                self.stream.cancel()
            for piece in self.stream:
                hand(piece)
        except BaseException as error:  # noqa: BLE001 - raised again where the task waits
            self.error = error
        finally:
            if self.stream is not None:
                self.stream.close()
            hand(None)

    def cancel(self) -> None:
        self._cancelled = True
        if self.stream is not None:
            self.stream.cancel()


class AsyncStream(AsyncIterator[Piece]):
    """The same for asyncio: a thread of its own reads the stream that `start` makes.

    Leaving the loop, cancelling the task or `aclose` ends the answer at the next token.
    """

    def __init__(self, start: Callable[[], Stream]) -> None:
        self._reader = _Reader(start)

    async def __anext__(self) -> Piece:
        reader = self._reader
        reader.begin()
        try:
            piece = await reader.queue.get()
        except BaseException:  # the task was cancelled
            self.cancel()
            raise
        if piece is None:
            reader.queue.put_nowait(None)  # asking again ends again
            if reader.error is not None:
                raise reader.error
            raise StopAsyncIteration
        return piece

    def cancel(self) -> None:
        """End the answer at the next token, from any thread."""
        self._reader.cancel()

    async def result(self) -> RunResult:
        """The finished answer; reads what is left of it first."""
        async for _ in self:
            pass
        if self._reader.stream is None:
            raise RuntimeError("the stream was never started")
        return self._reader.stream.result

    async def aclose(self) -> None:
        """Stop, and wait until the model is free again."""
        self.cancel()
        if self._reader.thread is not None:
            await asyncio.to_thread(self._reader.thread.join)

    def __del__(self) -> None:
        self.cancel()
