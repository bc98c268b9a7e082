"""`smolpc tune`: one race after the other, within a time budget; what is proved is kept."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from smolpc import stats
from smolpc.runtime.measuring import Measurer, NotMeasured, Timing
from smolpc.schema.running import RunSettings
from smolpc.schema.tuning import Sample, TunedStep, TunedValue
from smolpc.tune.candidates import Changes, Goal, Group, apply
from smolpc.tune.race import CONFIDENCE, FEWEST, CandidateFailed, Outcome, proved, race, ratios

PROMPT, ANSWER = (32, 512), (8, 96)  # tokens of one measurement, fewest and most
SECONDS = 0.4  # that reading the prompt, and answering, should take in one measurement
MOST_PAIRS = 15  # of everything together against the default
CONTEXT = 1024  # tokens that measuring needs; the user's context would only cost memory


class Tuner:
    """Races of settings against `settings`, on one measurer. `values` are proved so far."""

    def __init__(
        self,
        measurer: Measurer,
        settings: RunSettings,
        *,
        seconds: float,
        seed: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_measured: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.measurer, self.clock, self.on_measured = measurer, clock, on_measured
        # Another number of threads for answers must not change that for prompts.
        both = settings.batch_threads or settings.threads
        self.start = msgspec.structs.replace(settings, batch_threads=both)
        self.ends = clock() + seconds
        self.rng = random.Random(seed)  # noqa: S311 - the order of measurements
        self.values: list[TunedValue] = []
        self.prompt, self.answer = PROMPT[0], ANSWER[0]
        self.for_prompt = self.for_answer = 0.0  # seconds for a token

    @property
    def changes(self) -> Changes:
        """What is proved so far."""
        return {one.setting: one.value for one in self.values}  # the later one counts

    def work(self, goal: Goal) -> tuple[int, int]:
        """Tokens of prompt and answer that say something about this goal."""
        if goal in ("decode", "text"):
            return PROMPT[0], self.answer
        return self.prompt, 1 if goal == "prompt" else self.answer

    def typical(self, goal: Goal) -> float:
        """Seconds that one measurement takes, by what was measured at first."""
        prompt, answer = self.work(goal)
        return prompt * self.for_prompt + answer * self.for_answer

    def timing(self, settings: RunSettings, goal: Goal = "both") -> Timing:
        """One measurement; the context is as small as it may be, except on a GPU, where its
        memory decides what fits."""
        memory = settings.memory
        if not memory.gpu_layers and memory.context > CONTEXT:
            memory = msgspec.structs.replace(memory, context=CONTEXT)
            settings = msgspec.structs.replace(settings, memory=memory)
        prompt, answer = self.work(goal)
        try:
            real = goal == "text"
            return self.measurer.measure(settings, prompt=prompt, answer=answer, real=real)
        except NotMeasured as error:
            raise CandidateFailed(str(error)) from error

    def warm_up(self) -> None:
        """Load the model, and find how many tokens make a measurement long enough to trust.
        Raises CandidateFailed when the default does not run."""
        self.timing(self.start)
        found = self.timing(self.start)
        self.for_prompt, self.for_answer = found.prompt / self.prompt, found.answer / self.answer
        self.prompt = _within(PROMPT, SECONDS / self.for_prompt)
        self.answer = _within(ANSWER, SECONDS / self.for_answer)

    def run(self, groups: Iterable[Group]) -> Iterator[TunedStep]:
        """Race after race, until there are no more or the time is up. Take the groups from
        here one by one: what is proved counts from then on."""
        waiting, found = list(groups), 0
        while waiting:
            group, left = waiting.pop(0), self.ends - self.clock()
            # An equal share, but no less than a race takes: a few results are better than none.
            share = max(left / (len(waiting) + 1), FEWEST * self.typical(group.goal))
            step = self._race(group, self.clock() + min(share, left))
            found += bool(step.kept)
            yield step
        if found > 1:  # one alone has just been proved
            yield self._together()

    def _race(self, group: Group, ends: float) -> TunedStep:
        base = apply(self.start, self.changes)

        def seconds(changes: Changes) -> float:
            self.on_measured(group.name)
            return spent(self.timing(apply(base, changes), group.goal), group.goal)

        outcome: Outcome[Changes] = race(
            Changes(),
            group.candidates,
            seconds,
            left=lambda: ends - self.clock(),
            typical=self.typical(group.goal),
            rng=self.rng,
        )
        kept = outcome.winner or {}
        for setting, value in kept.items():
            self.values.append(self._value(setting, value, group.goal, outcome))
        if "threads" in kept:
            same = self.start.batch_threads
            self.values.append(
                TunedValue(setting="batch_threads", value=same, rate="prompt", gain=0.0)
            )
        return TunedStep(group=group.name, why=outcome.why, kept=kept)

    def _value(self, setting: str, value: Any, goal: Goal, outcome: Outcome[Changes]) -> TunedValue:
        prompt, answer = self.work(goal)
        count = {"decode": answer, "text": answer, "prompt": prompt}.get(goal, prompt + answer)
        return TunedValue(
            setting=setting,
            value=value,
            rate="decode" if goal == "text" else goal,
            gain=outcome.gain - 1,
            noise=stats.spread([before for before, _ in outcome.pairs]),
            samples=tuple(
                Sample(default=count / before, candidate=count / after)
                for before, after in outcome.pairs
            ),
        )

    def _together(self) -> TunedStep:
        """Settings that were proved one by one may still get into each other's way."""
        pairs: list[tuple[float, float]] = []
        enough = stats.pairs_needed(CONFIDENCE)
        best = apply(self.start, self.changes)
        # A draft model guesses only in the answer to a real question, and that one is short.
        goals: tuple[Goal, ...] = ("prompt", "text") if best.speculation == "draft" else ("both",)

        def seconds(settings: RunSettings) -> float:
            return sum(spent(self.timing(settings, goal), goal) for goal in goals)

        try:
            while not proved(pairs) and len(pairs) < MOST_PAIRS:
                if len(pairs) >= enough and self.clock() >= self.ends:
                    break
                self.on_measured("all together")
                before = seconds(self.start)
                pairs.append((before, seconds(best)))
        except CandidateFailed:
            pairs = [(0.0, 1.0)]
        if stats.median(ratios(pairs)) > 1:
            return TunedStep(group="all together", why="still faster than the default", kept={})
        self.values.clear()
        return TunedStep(group="all together", why="not faster: the default stays", kept={})


def spent(timing: Timing, goal: Goal) -> float:
    """The seconds that this goal is about."""
    parts = {"decode": timing.answer, "text": timing.answer, "prompt": timing.prompt}
    return parts.get(goal, timing.prompt + timing.answer)


def _within(limits: tuple[int, int], wanted: float) -> int:
    low, high = limits
    return max(low, min(high, int(wanted)))
