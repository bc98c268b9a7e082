"""Guesses by a small model that knows the same tokens: the draft model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice

from smolpc.runtime.decoding import Decoder, Tally
from smolpc.runtime.sampling import Choose
from smolpc.runtime.seams import Drafter
from smolpc.runtime.speculation.pace import Pace
from smolpc.runtime.vocabulary import Vocabulary

CHANCES = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.9)  # first values of `Pace`, until it has learned
SLOPE = 0.4  # of a guess: computing it and checking it, in times of a single token
DEAREST = 3.0  # a draft model that is hardly smaller makes guesses dearer than tokens
PROBE = 64  # tokens without a guess after which one is tried again
COMPARED = 2000  # tokens of two vocabularies that are compared


class ModelDrafter:
    """Guesses for one answer: what the draft model would say. `pace` belongs to the pair of
    models and learns from every answer; drafting counts as a part of what a batch costs.

    `stopped` ends the reading of a long prompt. Raises KeyboardInterrupt and SmolpcError.
    """

    def __init__(
        self,
        pace: Pace,
        decoder: Decoder,
        choose: Choose,
        may_guess: Callable[[int], bool],
        stopped: threading.Event,
    ) -> None:
        self._pace, self._decoder, self._choose = pace, decoder, choose
        self._may_guess, self._stopped = may_guess, stopped
        self._agreed = 0  # guesses in a row that were right
        self._since = 0  # tokens since the last guess
        self._seconds = 0.0  # that the last draft took

    def propose(self, tokens: Sequence[int], at_most: int) -> Sequence[int]:
        """Up to `at_most` tokens that the draft model would say after `tokens`; () if none pay."""
        room = self._decoder.cache.size - len(tokens)  # the main model may forget, this one not
        length = self._pace.length(self._agreed, min(at_most, room))
        if not length and room > 0 and self._since >= PROBE and self._pace.credit > 1.0:
            length = 1
        if not length:
            return ()
        start = time.perf_counter()
        said = self._decoder.tokens(tokens, self._choose, Tally(), self._stopped, reuse="fast")
        guess: list[int] = []
        for token in islice(said, length):
            if not self._may_guess(token):
                break
            guess.append(token)
        said.close()
        self._seconds = time.perf_counter() - start
        return guess

    def feedback(self, proposed: int, accepted: int, seconds: float) -> None:
        """What the last engine call checked and how long it took; also one without guesses."""
        if not proposed:
            self._since += 1
            self._pace.took(0, 0, seconds)
            return
        for place in range(accepted):
            self._pace.seen(self._agreed + place, True)
        if accepted < proposed:
            self._pace.seen(self._agreed + accepted, False)
        self._agreed = self._agreed + accepted if accepted == proposed else 0
        self._since = 0
        self._pace.took(proposed, accepted, seconds + self._seconds)


class Either:
    """Asks `first`, which costs nothing, and `second` where it has no guess."""

    def __init__(self, first: Drafter, second: Drafter) -> None:
        self._first, self._second = first, second
        self._asked = first

    def propose(self, tokens: Sequence[int], at_most: int) -> Sequence[int]:
        self._asked = self._first
        guess = self._first.propose(tokens, at_most)
        if guess:
            return guess
        self._asked = self._second
        return self._second.propose(tokens, at_most)

    def feedback(self, proposed: int, accepted: int, seconds: float) -> None:
        if proposed:
            self._asked.feedback(proposed, accepted, seconds)
            return
        for one in (self._first, self._second):  # both know what a single token takes
            one.feedback(0, 0, seconds)


def draft_pace() -> Pace:
    """What a pair of models starts with."""
    return Pace(CHANCES, SLOPE, DEAREST)


def same_tokens(one: Vocabulary, other: Vocabulary) -> bool:
    """Whether the token ids of two models mean the same. The larger vocabulary may go on
    behind the other's end, as it does in some families for padding."""
    size = min(one.size, other.size)
    step = max(1, size // COMPARED)
    places = (*range(0, size, step), size - 1)
    return (one.bos, one.eos) == (other.bos, other.eos) and all(
        one.text(place) == other.text(place) for place in places
    )
