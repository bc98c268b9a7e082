"""What every player offers, and what it heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from smolpc.schema.base import Value
from smolpc.schema.bench import Figures, Variant
from smolpc.schema.running import Request


class Question(Value, kw_only=True):
    """One question as it is asked. `request.max_tokens` are wanted, whatever the model thinks."""

    request: Request
    warm: bool = False  # what was computed before may be used again
    depth: int = 0  # tokens of the prompt, for a player that does not read it; 0: not known


class Heard(Figures, kw_only=True):
    """One answer, as its player heard it."""

    notes: tuple[str, ...] = ()


class Player(Protocol):
    """One variant. `open` loads the model; a closed player can be opened again."""

    @property
    def variant(self) -> Variant: ...

    @property
    def pids(self) -> Sequence[int]:
        """The processes that work for it, each with its children; () when it is not open."""
        ...

    def open(self) -> None:
        """Raises SmolpcError when it cannot play."""
        ...

    def answer(self, question: Question) -> Heard:
        """Raises SmolpcError."""
        ...

    def close(self) -> None:
        """A second call does nothing."""
        ...
