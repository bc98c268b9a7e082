"""What every backend offers."""

from __future__ import annotations

from typing import Protocol

from smolpc.errors import UsageError
from smolpc.runtime.stream import Stream
from smolpc.schema.backends import (
    LLAMA_SERVER,
    LLAMACPP,
    OLLAMA,
    ORDER,
    BackendModel,
    Problem,
    canonical,
)
from smolpc.schema.running import Request

__all__ = ["LLAMACPP", "LLAMA_SERVER", "OLLAMA", "ORDER", "Backend", "NotHere", "canonical"]


class NotHere(UsageError):
    """This backend lacks the model or the feature that was asked for; another may have it."""


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

    def generate(self, model: str, request: Request) -> Stream:
        """Answer `request`. `model` "" is the backend's default.

        Raises NotHere, UsageError for a request that no backend could answer (also from the
        answer's first piece), or another SmolpcError when this backend does not work.
        """
        ...

    def close(self) -> None: ...
