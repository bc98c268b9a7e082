"""What a context holds: the tokens whose keys and values were computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Cache:
    """The engine's memory of one context: sequence 0, positions from 0 without gaps.

    `held` are the token ids in the order of their positions. Whoever decodes appends to it
    after the engine's call returned, so that it never names a token that was not computed.
    """

    def __init__(self, llama: Any, context: Any) -> None:
        self.llama, self.context = llama, context
        self.size = int(llama.llama_n_ctx_seq(context))
        self.held: list[int] = []
        self.sound = self.size  # of `held`, how many were computed after all those before them
        self._memory = llama.llama_get_memory(context)
        # whether tokens can be taken out of the middle
        self.can_shift = bool(llama.llama_memory_can_shift(self._memory))

    @property
    def room(self) -> int:
        """Tokens that still fit."""
        return self.size - len(self.held)

    def keep(self, count: int) -> int:
        """Forget everything after the first `count` tokens; return how many are left.

        That is 0 where the model's memory cannot be cut (recurrent models): it is emptied.
        `held` goes first: after a Ctrl-C in between it names too little, never too much.
        """
        del self.held[count:]
        left = len(self.held)
        if not left or not self.llama.llama_memory_seq_rm(self._memory, 0, left, -1):
            self.held.clear()
            self.llama.llama_memory_clear(self._memory, False)
        if len(self.held) <= self.sound:
            self.sound = self.size
        return len(self.held)

    def tidy(self) -> None:
        """After an aborted call: forget what the engine computed beyond `held`."""
        self.keep(len(self.held))

    def replaced(self, tokens: Sequence[int]) -> None:
        """The engine now holds exactly `tokens`, each computed after those before it."""
        self.held[:] = tokens
        self.sound = self.size

    def drop(self, first: int, count: int) -> bool:
        """Take the `count` tokens from position `first` out and close the gap.

        False, and nothing changed, where the model's memory cannot do that. The later tokens
        have seen those that are gone: only the first `sound` ones may be used for another prompt.
        """
        later, self.held[first:] = self.held[first:], []  # as in `keep`
        last = first + count
        done = self.can_shift and self.llama.llama_memory_seq_rm(self._memory, 0, first, last)
        if done:
            self.llama.llama_memory_seq_add(self._memory, 0, last, -1, -count)
            self.sound = min(self.sound, first)
            del later[:count]
        self.held += later
        return bool(done)
