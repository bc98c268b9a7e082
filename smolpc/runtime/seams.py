"""Where other parts plug into the token loop: kept prompt beginnings, and guessed tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from smolpc.runtime.cache import Cache
from smolpc.schema.running import Reuse


class Prefix(Protocol):
    """Decides how much of a prompt need not be computed again."""

    def reuse(self, cache: Cache, prompt: Sequence[int], how: Reuse) -> int:
        """Leave in `cache` exactly a beginning of `prompt`, and return its length in tokens.

        At most all but the last token: the engine needs one to compute what follows. Called
        with the engine to itself, before each prompt; it may load a state from the disk.
        """

    def computed(self, cache: Cache, prompt: Sequence[int]) -> None:
        """Told when all of `prompt` is in `cache`, before the first token is given out."""

    def store(self, cache: Cache, prompt: Sequence[int], seconds: float) -> None:
        """Told when the first token was given out. `cache` still holds `prompt` and nothing
        else; computing what was missing took `seconds`."""


class Drafter(Protocol):
    """Guesses the next tokens, so that the engine can check several at once."""

    def propose(self, tokens: Sequence[int], at_most: int) -> Sequence[int]:
        """Up to `at_most` tokens that may follow `tokens` (prompt and answer so far); or none."""

    def feedback(self, proposed: int, accepted: int, seconds: float) -> None:
        """What the engine's last call checked (0: one token without guesses), how many of these
        guesses were right, and how long it took."""


class NoReuse:
    """Every prompt is computed from its first token."""

    def reuse(self, cache: Cache, prompt: Sequence[int], how: Reuse) -> int:
        del prompt, how
        return cache.keep(0)

    def computed(self, cache: Cache, prompt: Sequence[int]) -> None:
        """Nothing is kept."""

    def store(self, cache: Cache, prompt: Sequence[int], seconds: float) -> None:
        """Nothing is stored."""
