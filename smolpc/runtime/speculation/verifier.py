"""One batch that checks a whole draft."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

from smolpc.runtime.cache import Cache
from smolpc.runtime.sampling import Choose
from smolpc.runtime.speculation.exact import Exact
from smolpc.runtime.speculation.pace import LONGEST

EVERY_ROW = (ctypes.c_int8 * (LONGEST + 1))(*[1] * (LONGEST + 1))  # logits for each token


class Verifier:
    """Checks drafts in one context. Call it only with the engine to yourself.

    `possible` is False for a recurrent state, which cannot go back: a wrong guess could not be
    undone; and where the engine takes too few tokens at once. `rounding` allows batches that are
    not exact (see `exact`).
    """

    def __init__(self, llama: Any, model: Any, cache: Cache, check: Callable[[int], None]) -> None:
        self._llama, self._context, self._cache, self._check = llama, cache.context, cache, check
        recurrent = llama.llama_model_is_recurrent(model) or llama.llama_model_is_hybrid(model)
        self.possible = not recurrent and llama.llama_n_batch(cache.context) > LONGEST
        self.rounding = False
        self.exact = Exact(self._logits)
        self._tokens = (llama.llama_token * (LONGEST + 1))()
        vocabulary = llama.llama_model_get_vocab(model)
        self._row_bytes = 4 * llama.llama_vocab_n_tokens(vocabulary)

    @property
    def room(self) -> int:
        """How many guesses can be checked now."""
        held = len(self._cache.held)
        batch = LONGEST + 1 if self.rounding else self.exact.limit(held)
        return min(batch, self._cache.room) - 1

    def trusted(self, token: int, draft: Sequence[int]) -> Sequence[int]:
        """As much of `draft` as can be checked with the same result as single tokens."""
        if not draft or self._cache.room <= LONGEST:
            return ()
        known = self.exact.ensure(len(self._cache.held), [token, *draft])
        return draft[: max(0, self.room)] if known or self.rounding else ()

    def verify(self, token: int, draft: Sequence[int], choose: Choose) -> list[int]:
        """Compute `token` and `draft` at once; return the tokens that really follow `token`.

        `choose` decides at each position as it would without a draft, and goes on while it
        agrees with the draft. So the last token returned is the one that the draft had wrong,
        or the one after it, and `choose` was asked for what is returned, and no more: grammar,
        penalties and random numbers are where single tokens would have brought them.
        """
        cache = self._cache
        self._compute([token, *draft])
        cache.held.append(token)
        found: list[int] = []
        for position, guess in enumerate(draft):
            found.append(choose(position))
            if found[-1] != guess:
                cache.tidy()
                return found
            cache.held.append(guess)
        found.append(choose(len(draft)))
        return found

    def _compute(self, tokens: Sequence[int]) -> None:
        """One engine call; every token gets its logits."""
        count = len(tokens)
        self._tokens[:count] = tokens
        logits = ctypes.cast(EVERY_ROW, ctypes.POINTER(ctypes.c_int8))
        batch = self._llama.llama_batch(n_tokens=count, token=self._tokens, logits=logits)
        self._check(self._llama.llama_decode(self._context, batch))

    def _logits(self, batches: Sequence[Sequence[int]]) -> list[bytes]:
        """The logits of each token of `batches`; the context is as before afterwards."""
        row, size = self._llama.llama_get_logits_ith, self._row_bytes
        rows: list[bytes] = []
        try:
            for batch in batches:
                self._compute(batch)
                places = range(len(batch))
                rows += [ctypes.string_at(row(self._context, i), size) for i in places]
        finally:
            self._cache.tidy()
        return rows
