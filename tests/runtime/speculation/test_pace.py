"""The length of drafts against a simulated engine: it must pay, and never cost much."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolpc.runtime.speculation.drafter import NgramDrafter
from smolpc.runtime.speculation.pace import INCOME, LONGEST, MOST_CREDIT, Pace

END = -2


class Simulated:
    """An engine that answers `truth`; a batch of n tokens takes 1 + slope * (n - 1) seconds."""

    def __init__(self, slope: float, noise: float = 0.0, seed: int = 1) -> None:
        self.slope, self.noise, self.random = slope, noise, random.Random(seed)
        self.pace = Pace()

    def took(self, count: int) -> float:
        busy = 1.0 + self.noise * self.random.expovariate(1.0)
        return (1.0 + self.slope * (count - 1)) * busy

    def answer(self, prompt: Sequence[int], truth: Sequence[int]) -> tuple[float, list[int]]:
        """Seconds that were needed, relative to single tokens, and the lengths of the drafts."""
        drafter = NgramDrafter(self.pace, lambda token: token == END)
        known, done, seconds, plain = [*prompt], 0, 0.0, 0.0
        drafts: list[int] = []
        while done < len(truth):
            draft = drafter.propose(known, min(LONGEST, len(truth) - done - 1))
            right = 0
            while right < len(draft) and draft[right] == truth[done + right]:
                right += 1
            took = self.took(1 + len(draft))
            drafter.feedback(len(draft), right, took)
            seconds += took
            if draft:
                drafts.append(len(draft))
            known += truth[done : done + right + 1]
            done += right + 1
        plain = sum(self.took(1) for _ in truth)
        return seconds / plain, drafts


def measured() -> Pace:
    """It knows how long one token takes."""
    pace = Pace()
    pace.took(0, 0, 1.0)
    return pace


def noise(rng: random.Random, count: int, words: int = 5000) -> list[int]:
    return [rng.randrange(words) for _ in range(count)]


@pytest.mark.parametrize("slope", [0.05, 0.15, 0.3])
def test_copies_get_long_drafts_and_become_much_faster(slope: float) -> None:
    rng = random.Random(3)
    file = noise(rng, 600)
    engine = Simulated(slope)
    engine.answer(file, file)
    seconds, drafts = engine.answer(file, file)
    assert seconds < 1.25 * (1 + slope * LONGEST) / (1 + LONGEST)
    assert drafts[-2] == LONGEST


def test_text_without_repetition_costs_nothing() -> None:
    rng = random.Random(4)
    seconds, drafts = Simulated(0.2).answer(noise(rng, 300, 10**6), noise(rng, 500, 10**6))
    assert (seconds, drafts) == (1.0, [])


def test_where_a_batch_costs_as_much_as_its_tokens_it_is_given_up() -> None:
    file = noise(random.Random(5), 400)
    engine = Simulated(1.0)
    engine.answer(file, file)
    seconds, _ = engine.answer(file, file)
    assert seconds < 1.03


def test_it_begins_again_when_guesses_become_good() -> None:
    """Wrong guesses teach it to stop; a copy afterwards is noticed without being checked."""
    rng = random.Random(6)
    engine = Simulated(0.3)
    for _ in range(5):  # every phrase of four tokens goes on differently each time
        phrases = [noise(rng, 4, 50) for _ in range(30)]
        misleading = [t for p in phrases * 4 for t in (*p, rng.randrange(10**6))]
        engine.answer(misleading[:100], misleading[100:])
    file = noise(rng, 400)
    seconds, drafts = engine.answer(file, file)
    assert max(drafts) >= 8
    assert seconds < 0.7


def test_one_stall_of_the_machine_does_not_switch_it_off_for_good() -> None:
    file = noise(random.Random(7), 400)
    engine = Simulated(0.2)
    for _ in range(20):
        engine.pace.took(0, 0, 1.0)
        engine.pace.took(8, 8, 500.0)
    engine.answer(file, file)
    seconds, _ = engine.answer(file, file)
    assert seconds < 0.5


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    st.integers(2, 400),
    st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0]),
)
def test_what_it_can_lose_is_limited(seed: int, words: int, slope: float) -> None:
    """Texts of random words: from endless repetition to guesses that mostly mislead."""
    rng = random.Random(seed)
    engine = Simulated(slope)
    seconds, _ = engine.answer(noise(rng, 200, words), noise(rng, 800, words))
    longest = slope * LONGEST
    assert seconds * 800 <= 800 * (1 + INCOME) + MOST_CREDIT + longest


@given(st.integers(0, 100), st.integers(0, LONGEST))
def test_it_never_asks_for_more_than_it_may(matched: int, at_most: int) -> None:
    assert 0 <= measured().length(matched, at_most) <= at_most


def test_what_ends_an_answer_is_never_guessed() -> None:
    drafter = NgramDrafter(measured(), lambda token: token == END)
    prompt = [*range(20), END, *range(20), END, *range(15)]
    assert list(drafter.propose(prompt, LONGEST)) == [15, 16, 17, 18, 19]
