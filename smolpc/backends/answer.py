"""An answer that comes from a generator of pieces."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator

from smolpc.errors import NetworkError
from smolpc.net.service import Lines
from smolpc.runtime.stream import Pieces, Stream
from smolpc.schema.base import Value
from smolpc.schema.result import RunResult
from smolpc.schema.running import Piece


class PieceStream(Stream):
    """The stream of an answer that comes from elsewhere. `on_cancel` makes it end soon, also
    while the next piece is waited for."""

    def __init__(self, pieces: Pieces, on_cancel: Callable[[], None]) -> None:
        super().__init__(pieces, threading.Event())
        self._on_cancel = on_cancel

    def cancel(self) -> None:
        super().cancel()
        self._on_cancel()


class Usage(Value, kw_only=True):
    """What a server reports at the end of an answer. Times in seconds."""

    stop: str  # as in RunResult
    prompt_tokens: int = 0
    prompt_computed: int = 0  # of them, those that were not known from before
    prompt_seconds: float = 0.0
    generated_tokens: int = 0
    decode_seconds: float = 0.0
    drafted_tokens: int = 0  # guessed by speculation
    accepted_tokens: int = 0  # of those: right
    load_seconds: float = 0.0


class Event(Value, kw_only=True):
    """What one line of a server says."""

    text: str = ""
    tokens: int = 0
    thought: str = ""  # what the model says to itself before it answers
    usage: Usage | None = None  # set: the answer is complete


class Heard:
    """What has come so far, and when (`perf_counter`)."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.first_at = self.last_at = 0.0
        self.text = ""
        self.tokens = self.thought = 0  # of thinking: characters

    @property
    def notes(self) -> tuple[str, ...]:
        if not self.thought:
            return ()
        return (f"the model thought before its answer; {self.thought} characters are not shown",)

    def add(self, piece: Piece) -> None:
        self.last_at = time.perf_counter()
        self.first_at = self.first_at or self.last_at
        self.text += piece.text
        self.tokens += piece.tokens

    @property
    def time_to_first_token(self) -> float:
        return self.first_at - self.started if self.first_at else 0.0

    def interrupted(self) -> Usage:
        """The usage of an answer that was stopped: the server does not tell it then."""
        return Usage(
            stop="interrupted",
            generated_tokens=self.tokens,
            decode_seconds=self.last_at - self.first_at if self.tokens > 1 else 0.0,
        )


def rate(count: int, seconds: float) -> float:
    """Per second; 0 when nothing was measured."""
    return count / seconds if seconds > 0 and count > 0 else 0.0


def hear(
    lines: Lines,
    read: Callable[[bytes], Event | None],
    heard: Heard,
    finish: Callable[[Usage], RunResult],
) -> Generator[Piece, None, RunResult]:
    """The pieces in the lines of a server. Ctrl-C while waiting for one ends the answer.

    Raises NetworkError when the lines end before the answer is complete.
    """
    usage: Usage | None = None
    with lines:
        try:
            for line in lines:
                event = read(line)
                if event is None:
                    continue
                heard.thought += len(event.thought)
                if event.text:
                    piece = Piece(text=event.text, tokens=event.tokens)
                    heard.add(piece)
                    yield piece
                if event.usage is not None:
                    usage = event.usage
                    break
        except KeyboardInterrupt:
            lines.cancel()
    if lines.cancelled:
        usage = heard.interrupted()
    if usage is None:
        raise NetworkError(
            "the answer broke off",
            why="the server ended it without its last line",
            next_step="ask again, and look into the server's log",
        )
    return finish(usage)
