"""Several backends, one after the other: the safety net.

A backend that fails before its first piece is passed over, with its reason said and kept in
the result. What the user did wrong is not tried again elsewhere, and once text is on the
screen nobody starts again from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import msgspec

from smolpc.backends.answer import PieceStream
from smolpc.backends.protocol import Backend, NotHere
from smolpc.errors import Interrupted, SmolpcError, UsageError
from smolpc.runtime.stream import Stream
from smolpc.schema.backends import BackendModel, Problem
from smolpc.schema.result import RunResult
from smolpc.schema.running import Piece, Request


class Chain:
    """A backend that asks `backends` in their order. `say` gets a sentence for each that is
    passed over."""

    version = address = ""

    def __init__(
        self, backends: Sequence[Backend], say: Callable[[str], None] = lambda _: None
    ) -> None:
        if not backends:
            raise ValueError("a chain has at least one backend")
        self.backends, self._say = tuple(backends), say

    @property
    def name(self) -> str:
        return self.backends[0].name

    def available(self) -> Problem | None:
        """None when any of them is; else what the first one says."""
        problems = [backend.available() for backend in self.backends]
        return None if None in problems else problems[0]

    def models(self) -> tuple[BackendModel, ...]:
        return self.backends[0].models()

    def resolve(self, model: str) -> BackendModel:
        """As the first backend that has it."""
        failures: list[tuple[str, SmolpcError]] = []
        for backend in self.backends:
            try:
                return backend.resolve(model)
            except SmolpcError as error:
                if not may_fall_back(error):
                    raise
                failures.append((backend.name, error))
        raise _all_failed(failures)

    def generate(self, model: str, request: Request) -> PieceStream:
        """The first answer that begins. What fails before that is in the result's notes."""
        failures: list[tuple[str, SmolpcError]] = []
        for backend in self.backends:
            try:
                answer = backend.generate(model, request)
                first = next(answer, None)
            except SmolpcError as error:
                if not may_fall_back(error):
                    raise
                failures.append((backend.name, error))
                if backend is not self.backends[-1]:
                    self._say(f"{passed_over(backend.name, error)}; trying the next backend")
                continue
            notes = tuple(passed_over(name, error) for name, error in failures)
            if failures:
                self._say(f"{backend.name} answers")
            return PieceStream(_from(answer, first, notes), answer.cancel)
        raise _all_failed(failures)

    def close(self) -> None:
        for backend in self.backends:
            backend.close()


def may_fall_back(error: SmolpcError) -> bool:
    """Whether another backend could do better: not when the user asked for the impossible, and
    not when the user wants it to stop."""
    if isinstance(error, Interrupted):
        return False
    return isinstance(error, NotHere) or not isinstance(error, UsageError)


def passed_over(name: str, error: SmolpcError) -> str:
    return f"{name} did not answer: {' '.join(str(error).split())}"


def _from(
    answer: Stream, first: Piece | None, notes: tuple[str, ...]
) -> Generator[Piece, None, RunResult]:
    try:
        if first is not None:
            yield first
            yield from answer
        result = answer.result
    finally:
        answer.close()
    return msgspec.structs.replace(result, notes=(*notes, *result.notes))


def _all_failed(failures: list[tuple[str, SmolpcError]]) -> SmolpcError:
    """One error for all, of the kind of the first: that is the backend that was meant."""
    _, first = failures[0]
    if len(failures) == 1:
        return first
    kind = UsageError if isinstance(first, NotHere) else type(first)
    return kind(
        "no backend could answer",
        why="".join(f"\n    {name}: {' '.join(str(error).split())}" for name, error in failures),
        next_step=first.next_step,
    )
