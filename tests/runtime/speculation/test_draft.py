"""Guesses by a draft model: bounded, worth it, and quiet where they are not."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.runtime.speculation.draft import (
    PROBE,
    Either,
    ModelDrafter,
    draft_pace,
    same_tokens,
)
from smolpc.runtime.speculation.pace import LONGEST
from smolpc.runtime.vocabulary import Vocabulary

END = 9


class SmallModel:
    """Says the digits after the last token, one after the other; END is one of them."""

    def __init__(self, size: int = 1000) -> None:
        self.cache = SimpleNamespace(size=size)
        self.asked: list[list[int]] = []
        self.said = 0

    def tokens(self, prompt: Sequence[int], *_: object, reuse: str) -> Iterator[int]:
        assert reuse == "fast"
        self.asked.append([*prompt])
        token = prompt[-1]
        while True:
            token = (token + 1) % 10
            self.said += 1
            yield token


def drafter(model: SmallModel) -> ModelDrafter:
    made = ModelDrafter(
        draft_pace(), cast(Any, model), lambda _: 0, lambda token: token != END, threading.Event()
    )
    made.feedback(0, 0, 1.0)  # what a single token takes
    return made


def test_it_guesses_what_the_small_model_says_up_to_an_end() -> None:
    model = SmallModel()
    made = drafter(model)
    for _ in range(50):  # it learns that all guesses are right, and cheap
        count = len(made.propose([0], LONGEST))
        made.feedback(count, count, 1.0)
    assert made.propose([3, 4], LONGEST) == [5, 6, 7, 8]
    assert model.asked[-1] == [3, 4]


@given(st.integers(1, 40), st.integers(0, LONGEST))
def test_it_never_guesses_more_than_there_is_room_for(held: int, at_most: int) -> None:
    model = SmallModel(size=20)
    guess = drafter(model).propose([0] * held, at_most)
    assert len(guess) <= at_most
    assert len(guess) <= max(0, 20 - held)


def test_guesses_that_do_not_pay_stop_and_are_tried_again_now_and_then() -> None:
    model = SmallModel()
    made = drafter(model)
    tokens, wrong = 0, 0
    while tokens < 20 * PROBE:
        count = len(made.propose([0], LONGEST))
        wrong += count
        tokens += 1
        made.feedback(count, 0, 1.0 + 0.3 * count)
    assert 0 < wrong < tokens * 0.05


def test_drafting_counts_as_a_part_of_the_price(monkeypatch: pytest.MonkeyPatch) -> None:
    model = SmallModel()
    monkeypatch.setattr("time.perf_counter", lambda: 1.2 * model.said)  # seconds for each token
    made = drafter(model)
    guesses = 0
    for _ in range(200):
        count = len(made.propose([0], LONGEST))
        guesses += count
        made.feedback(count, count, 1.0)  # right, but too dear
    assert guesses < 60


def test_what_was_seen_comes_first_and_each_hears_of_its_own_guesses() -> None:
    heard: list[tuple[str, int]] = []

    class Fixed:
        def __init__(self, name: str, guess: Sequence[int]) -> None:
            self.name, self.guess = name, guess

        def propose(self, tokens: Sequence[int], at_most: int) -> Sequence[int]:
            return self.guess

        def feedback(self, proposed: int, accepted: int, seconds: float) -> None:
            heard.append((self.name, proposed))

    seen, small = Fixed("seen", [1]), Fixed("small", [2])
    both = Either(seen, small)
    assert both.propose([0], 4) == [1]
    both.feedback(1, 1, 1.0)
    seen.guess = ()
    assert both.propose([0], 4) == [2]
    both.feedback(1, 0, 1.0)
    both.feedback(0, 0, 1.0)
    assert heard == [("seen", 1), ("small", 1), ("seen", 0), ("small", 0)]


def vocabulary(words: Sequence[str]) -> Vocabulary:
    made = SimpleNamespace(size=len(words), bos=words[0], eos=words[1], text=words.__getitem__)
    return cast(Vocabulary, made)


def test_vocabularies_are_compared_by_the_meaning_of_their_ids() -> None:
    words = ["<s>", "</s>", *(f"w{n}" for n in range(5000))]
    padded = [*words, *("pad" for _ in range(128))]
    assert same_tokens(vocabulary(words), vocabulary(padded))
    assert not same_tokens(vocabulary(words), vocabulary([*words[:-1], "other"]))
    assert not same_tokens(vocabulary(words), vocabulary(["<s>", "</s>", *words[3:], "x"]))
