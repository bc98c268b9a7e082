"""The tuner as a whole, on a simulated engine: what it keeps is faster, in every order."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from smolpc import stats
from smolpc.runtime.measuring import NotMeasured, Timing
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings
from smolpc.tune.candidates import Goal, Group, apply
from smolpc.tune.race import CONFIDENCE, CandidateFailed
from smolpc.tune.run import Tuner, spent

START = RunSettings(memory=FitSettings(context=4096), threads=4)
GOALS: tuple[Goal, ...] = ("prompt", "decode", "text", "both")
Rates = Callable[[RunSettings], tuple[float, float]]  # prompt and answer, tokens a second
GROUPS = (
    Group(name="threads", goal="decode", candidates=({"threads": 2}, {"threads": 6})),
    Group(name="micro-batch", goal="prompt", candidates=({"ubatch": 256}, {"ubatch": 1024})),
    Group(name="flash attention", goal="both", candidates=({"flash_attention": "off"},)),
)
PAIR = {"speculation": "draft", "draft_model": "small"}
DRAFT = Group(name="draft model", goal="text", candidates=(PAIR,))


class Engine:
    """A measurer whose rates are known, on a noisy machine with a clock of its own. As in the
    real one, a draft model guesses only in the answer to a real question."""

    def __init__(self, rates: Rates, seed: int) -> None:
        self.rates, self.random, self.now = rates, random.Random(seed), 0.0

    def measure(
        self, settings: RunSettings, *, prompt: int, answer: int, real: bool = False
    ) -> Timing:
        guessing = settings if real else msgspec.structs.replace(settings, speculation="off")
        reading, answering = self.rates(guessing)
        noise = math.exp(abs(self.random.gauss(0, 0.04)))
        found = Timing(prompt=prompt / reading * noise, answer=answer / answering * noise)
        self.now += found.prompt + found.answer
        return found


def tuner(rates: Rates, seed: int, seconds: float = 600) -> Tuner:
    engine: Any = Engine(rates, seed)
    made = Tuner(engine, START, seconds=seconds, seed=seed, clock=lambda: engine.now)
    made.warm_up()
    return made


def test_it_finds_what_is_faster_and_nothing_else() -> None:
    def rates(settings: RunSettings) -> tuple[float, float]:
        return (
            400.0 if settings.memory.ubatch == 256 else 300.0,
            60.0 if settings.threads == 2 else 45.0,
        )

    for seed in range(10):
        one = tuner(rates, seed)
        steps = list(one.run(GROUPS))
        assert one.changes == {"threads": 2, "batch_threads": 4, "ubatch": 256}
        assert [step.group for step in steps][-1] == "all together"


def test_other_threads_for_answers_leave_those_for_prompts_alone() -> None:
    def rates(settings: RunSettings) -> tuple[float, float]:
        assert (settings.batch_threads or settings.threads) == 4
        return 300.0, 60.0 if settings.threads == 2 else 45.0

    one = tuner(rates, 1)
    list(one.run(GROUPS[:1]))
    assert apply(START, one.changes).batch_threads == 4


def test_settings_that_spoil_each_other_are_both_dropped() -> None:
    def rates(settings: RunSettings) -> tuple[float, float]:
        fewer, smaller = settings.threads == 2, settings.memory.ubatch == 256
        if fewer and smaller:  # together they are slower at everything else
            return 330.0, 30.0
        return 400.0 if smaller else 300.0, 60.0 if fewer else 45.0

    one = tuner(rates, 3)
    steps = list(one.run(GROUPS))
    assert steps[-1].group == "all together" and not one.values


@pytest.mark.parametrize("seed", range(10))
def test_on_a_machine_where_nothing_matters_nothing_is_kept(seed: int) -> None:
    one = tuner(lambda _: (300.0, 45.0), seed)
    list(one.run(GROUPS))
    assert not one.values


def test_a_draft_model_that_pays_is_kept_with_its_name() -> None:
    def rates(settings: RunSettings) -> tuple[float, float]:
        return 300.0, 45.0 * (1.4 if settings.speculation == "draft" else 1.0)

    for seed in range(10):
        one = tuner(rates, seed)
        (step,) = one.run([DRAFT])  # one group: there is nothing to compare it with
        assert step.kept == PAIR
        assert {value.setting: value.rate for value in one.values} == dict.fromkeys(PAIR, "decode")


def test_a_setting_that_spoils_the_guesses_of_a_draft_model_is_noticed() -> None:
    def rates(settings: RunSettings) -> tuple[float, float]:
        guesses, off = settings.speculation == "draft", settings.memory.flash == "off"
        if guesses and off:
            return 300.0, 20.0
        return 300.0, 45.0 * (1.4 if guesses or off else 1.0)

    one = tuner(rates, 3)
    *apart, together = one.run([DRAFT, GROUPS[2]])
    assert all(step.kept for step in apart)
    assert together.group == "all together" and not one.values


def test_a_draft_model_does_not_hide_that_reading_became_slow() -> None:
    def rates(settings: RunSettings) -> tuple[float, float]:
        fewer, smaller = settings.threads == 2, settings.memory.ubatch == 256
        guesses = settings.speculation == "draft"
        reading = 300.0 if not smaller else 60.0 if fewer else 400.0
        return reading, (60.0 if fewer else 45.0) * (1.4 if guesses else 1.0)

    one = tuner(rates, 3)
    *apart, together = one.run([GROUPS[1], GROUPS[0], DRAFT])
    assert all(step.kept for step in apart)
    assert together.group == "all together" and not one.values


def test_it_ends_in_time() -> None:
    for seconds in (1.0, 5.0, 20.0, 60.0):
        engine: Any = Engine(lambda _: (300.0, 45.0), 1)
        one = Tuner(engine, START, seconds=seconds, seed=1, clock=lambda e=engine: e.now)
        one.warm_up()
        list(one.run(GROUPS))
        assert engine.now <= seconds + 3 * one.typical("both")


def test_everything_together_ends_in_time_too() -> None:
    """Nothing is proved by the pairs, so only the time ends them."""
    said: list[str] = []

    def rates(settings: RunSettings) -> tuple[float, float]:
        if "all together" in said:
            return 300.0, 45.0
        fewer, smaller = settings.threads == 2, settings.memory.ubatch == 256
        return 400.0 if smaller else 300.0, 60.0 if fewer else 45.0

    engine: Any = Engine(rates, 1)

    def measured(name: str) -> None:
        if name == "all together" and name not in said:
            engine.now += 600  # the time is up
        said.append(name)

    one = Tuner(engine, START, seconds=600, seed=1, clock=lambda: engine.now, on_measured=measured)
    one.warm_up()
    assert [step.group for step in one.run(GROUPS)][-1] == "all together"
    assert said.count("all together") == stats.pairs_needed(CONFIDENCE)


def test_a_default_that_does_not_run_is_an_error() -> None:
    class Broken:
        def measure(self, settings: RunSettings, **_: object) -> Timing:
            raise NotMeasured("segmentation fault in the engine")

    broken: Any = Broken()
    with pytest.raises(CandidateFailed, match="segmentation"):
        Tuner(broken, START, seconds=60).warm_up()


def test_goals_count_their_own_seconds() -> None:
    timing = Timing(prompt=1.0, answer=2.0)
    assert [spent(timing, goal) for goal in GOALS] == [1.0, 2.0, 2.0, 3.0]


def test_one_proved_group_is_not_compared_a_second_time() -> None:
    def rates(settings: RunSettings) -> tuple[float, float]:
        return 300.0, 60.0 if settings.threads == 2 else 45.0

    one = tuner(rates, 3)
    steps = [step.group for step in one.run(GROUPS)]
    assert one.changes == {"threads": 2, "batch_threads": 4}
    assert "all together" not in steps
