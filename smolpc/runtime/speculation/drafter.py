"""Guesses for one answer, from what has been seen: prompt, answer so far, recent files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from smolpc.runtime.speculation.lookup import Lookup
from smolpc.runtime.speculation.pace import Pace


class NgramDrafter:
    """Looks the latest tokens up; `pace` belongs to the model and learns from every answer.

    `texts` are token ids of recent files. `is_end` tells the tokens that end an answer: they
    are never guessed, so that nothing is sampled behind them.
    """

    def __init__(
        self,
        pace: Pace,
        is_end: Callable[[int], bool],
        texts: Iterable[Sequence[int]] = (),
    ) -> None:
        self._pace, self._is_end = pace, is_end
        self._lookup = Lookup(texts)
        self._known = 0  # tokens of the prompt and the answer that are looked up already

    def propose(self, tokens: Sequence[int], at_most: int) -> Sequence[int]:
        """Up to `at_most` tokens that may follow `tokens`, which only grow; () if none pay."""
        lookup, pace = self._lookup, self._pace
        if not self._known:
            lookup.extend(tokens)
        else:
            for place in range(self._known, len(tokens)):
                matched = lookup.matched
                right = lookup.add(tokens[place])
                if right is not None:
                    pace.seen(matched, right)
        self._known = len(tokens)
        if lookup.expected is None:
            return ()
        length = pace.length(lookup.matched, at_most)
        if not length:
            return ()
        guess = lookup.guess(length)
        for place, token in enumerate(guess):
            if self._is_end(token):
                return guess[:place]
        return guess

    def feedback(self, proposed: int, accepted: int, seconds: float) -> None:
        """What the last engine call checked and how long it took; also one without guesses."""
        self._pace.took(proposed, accepted, seconds)
