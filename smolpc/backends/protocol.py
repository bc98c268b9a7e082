"""What every backend offers."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Protocol

from smolpc.errors import UsageError
from smolpc.schema.backends import BackendModel, Problem
from smolpc.schema.result import RunResult
from smolpc.schema.running import Piece, Request

LLAMACPP, LLAMA_SERVER, OLLAMA = "llamacpp", "llama-server", "ollama"
ORDER = (LLAMACPP, LLAMA_SERVER, OLLAMA)


def canonical(name: str) -> str:
    """The name of a backend as it is spelled here: "llama.cpp" is "llamacpp"."""
    plain = name.strip().lower().replace("_", "-")
    return {"llama.cpp": LLAMACPP, "llama-cpp": LLAMACPP}.get(plain, plain)


class NotHere(UsageError):
    """This backend lacks the model or the feature that was asked for; another may have it."""


class Answer(Protocol):
    """An answer as it comes. Used from one thread, but `cancel` may come from any."""

    def __iter__(self) -> Iterator[Piece]: ...

    def __next__(self) -> Piece: ...

    def cancel(self) -> None:
        """End it; the result then has `stop="interrupted"`."""
        ...

    @property
    def result(self) -> RunResult:
        """What was measured; reads the answer to its end first."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Answer: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Backend(Protocol):
    """Something that runs models."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Of the engine or server, "" when it is not known. Asks, so it may take a moment."""
        ...

    @property
    def address(self) -> str:
        """The URL of a server, "" in process."""
        ...

    def available(self) -> Problem | None:
        """Why it cannot be used now; None: it can. Loads no model."""
        ...

    def models(self) -> tuple[BackendModel, ...]:
        """What it can run. Raises SmolpcError when it cannot be asked."""
        ...

    def resolve(self, model: str) -> BackendModel:
        """The model that answers to the name `model` ("": the default). Raises NotHere."""
        ...

    def generate(self, model: str, request: Request) -> Answer:
        """Answer `request`. `model` "" is the backend's default.

        Raises NotHere, UsageError for a request that no backend could answer (also from the
        answer's first piece), or another SmolpcError when this backend does not work.
        """
        ...

    def close(self) -> None: ...
