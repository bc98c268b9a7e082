"""Promise: a setting is kept only when it is faster, however noisy the machine is."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolpc.tune.race import Outcome, race, ratios
from tests.tune.machine import NoisyMachine


def run(
    speeds: dict[str, float], seed: int, *, budget: float = 60.0, **noise: float
) -> Outcome[str]:
    machine = NoisyMachine(speeds, seed, **noise)
    names = [name for name in speeds if name != "default"]
    return race(
        "default",
        names,
        machine.measure,
        left=lambda: budget - machine.now,
        typical=speeds["default"],
        rng=random.Random(seed),
    )


def test_a_faster_setting_is_found_among_others() -> None:
    found = [
        run({"default": 0.3, "slow": 0.5, "fast": 0.24, "same": 0.3}, seed) for seed in range(40)
    ]
    assert sum(outcome.winner == "fast" for outcome in found) >= 38


def test_settings_that_are_not_faster_are_hardly_ever_kept() -> None:
    kept = [
        outcome.winner
        for seed in range(400)
        if (outcome := run({"default": 0.3, "same": 0.3, "twin": 0.3, "worse": 0.303}, seed)).winner
    ]
    assert len(kept) <= 4  # 1 in 100


@given(
    st.floats(1.0, 3.0),
    st.floats(0.0, 0.15),
    st.floats(0.0, 0.4),
    st.integers(0, 10_000),
)
@settings(max_examples=200)
def test_a_clearly_slower_setting_is_never_kept(
    factor: float, jitter: float, bursts: float, seed: int
) -> None:
    slower = {"default": 0.2, "slower": 0.2 * (1.05 * factor)}
    assert run(slower, seed, jitter=jitter, bursts=bursts).winner is None


@given(st.floats(0.5, 200.0), st.integers(0, 1000))
@settings(max_examples=100)
def test_the_time_is_kept(budget: float, seed: int) -> None:
    machine = NoisyMachine({"default": 0.3, "a": 0.2, "b": 1.0, "c": 0.4}, seed)
    race(
        "default",
        ["a", "b", "c"],
        machine.measure,
        left=lambda: budget - machine.now,
        typical=0.3,
        rng=random.Random(seed),
    )
    # one round of measurements may be under way when the time ends
    assert machine.now <= budget + 4 * 2 * 1.5


def test_too_little_time_keeps_the_default_and_says_so() -> None:
    outcome = run({"default": 2.0, "fast": 1.0}, 1, budget=5)
    assert outcome.winner is None and "time" in outcome.why


def test_a_setting_that_does_not_run_is_left_out() -> None:
    outcome = run({"default": 0.3, "broken": 0.1, "fast": 0.2}, 3)
    assert outcome.winner == "fast"


def test_a_default_that_does_not_run_ends_the_race() -> None:
    machine = NoisyMachine({"fast": 0.1}, 1)
    outcome = race(
        "broken default",
        ["fast"],
        machine.measure,
        left=lambda: 60 - machine.now,
        typical=0.3,
        rng=random.Random(1),
    )
    assert outcome.winner is None and "does not load" in outcome.why


@pytest.mark.parametrize("seed", range(5))
def test_the_proof_is_made_of_fresh_pairs_above_the_gain(seed: int) -> None:
    outcome = run({"default": 0.3, "fast": 0.2}, seed)
    assert outcome.winner == "fast"
    gains = ratios(outcome.pairs)
    assert len(gains) >= 7 and min(gains) <= outcome.gain <= max(gains)
