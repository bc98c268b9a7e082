"""A race between settings on a noisy machine: drop the slower half, then prove the winner.

Every round measures the default and each remaining candidate once, in random order, so that
whatever slows the machine down slows all of them. Only ratios within a round count. The
rounds pick a winner, which may have been lucky; so it must beat the default again, in fresh
pairs. It is kept only when all but chance says that it is faster by more than `GAIN`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from smolpc import stats
from smolpc.schema.base import Value

GAIN = 1.03  # times the default; less is not worth a setting
CONFIDENCE = 0.99  # that the gain is real, for each setting that is kept
GIVE_UP = 0.9  # confidence that it is not, after which no more pairs are measured
MOST_PAIRS = 24  # of a proof; a gain that needs more is too small to matter
ROUNDS_A_STAGE = 2  # before the slower half is dropped
FEWEST = 2 * stats.pairs_needed(CONFIDENCE) + 2 * ROUNDS_A_STAGE  # measurements of a race
HOPELESS = 0.97  # a median ratio below this is dropped at once

C = TypeVar("C")
Pair = tuple[float, float]  # seconds of the default, seconds of the candidate


class CandidateFailed(Exception):
    """A setting that the engine refuses or dies of; the race goes on without it."""


class Outcome(Value, Generic[C], kw_only=True):
    """`winner` None: the default stays."""

    winner: C | None
    gain: float = 1.0  # the default's seconds / the candidate's, median over the pairs
    pairs: tuple[Pair, ...] = ()  # of the proof
    why: str


class _Race(Generic[C]):
    def __init__(
        self,
        default: C,
        measure: Callable[[C], float],
        left: Callable[[], float],
        typical: float,
        rng: random.Random,
    ) -> None:
        self.default, self.measure, self.left, self.rng = default, measure, left, rng
        self.failed: dict[int, str] = {}
        self.slowest = typical  # seconds of the longest measurement so far

    def timed(self, candidate: C) -> float:
        before = self.left()
        seconds = self.measure(candidate)
        self.slowest = max(self.slowest, before - self.left())
        return seconds

    def round(self, runners: dict[int, C], gains: dict[int, list[float]]) -> None:
        """Measure the default and all runners once; a runner that fails is taken out."""
        order: list[int | None] = [None, *runners]
        self.rng.shuffle(order)
        times: dict[int | None, float] = {}
        for number in order:
            try:
                times[number] = self.timed(self.default if number is None else runners[number])
            except CandidateFailed as error:
                if number is None:
                    raise
                self.failed[number] = str(error)
                del runners[number]
        for number in runners:
            gains[number].append(times[None] / times[number])

    def affordable(self, pairs: int) -> bool:
        """Whether the time left is enough for so many pairs more."""
        return self.left() >= 2 * pairs * self.slowest

    def select(self, candidates: Sequence[C]) -> int | None:
        """The number of the most promising candidate, or None."""
        runners = dict(enumerate(candidates))
        gains: dict[int, list[float]] = {number: [] for number in runners}
        while runners:
            for _ in range(ROUNDS_A_STAGE):
                self.round(runners, gains)
                if not runners or self.left() <= 0:
                    break
            ranked = sorted(runners, key=lambda number: -stats.median(gains[number]))
            keep = [n for n in ranked if stats.median(gains[n]) >= HOPELESS]
            if len(runners) == 1 or not self.affordable(stats.pairs_needed(CONFIDENCE)):
                return keep[0] if keep else None
            runners = {number: runners[number] for number in keep[: (len(runners) + 1) // 2]}
            if len(runners) == 1:
                return next(iter(runners))
        return None

    def prove(self, candidate: C) -> list[Pair]:
        """Fresh pairs against the default until the answer is clear, or time is up."""
        pairs: list[Pair] = []
        while len(pairs) < MOST_PAIRS and (self.affordable(1) or not pairs):
            if len(pairs) % 2:
                before, after = self.timed(self.default), self.timed(candidate)
            else:
                after, before = self.timed(candidate), self.timed(self.default)
            pairs.append((before, after))
            if proved(pairs) or stats.upper_bound(ratios(pairs), GIVE_UP) < GAIN:
                break
        return pairs


def ratios(pairs: Sequence[Pair]) -> list[float]:
    """How many times as fast as the default the candidate was, in each pair."""
    return [before / after for before, after in pairs]


def proved(pairs: Sequence[Pair]) -> bool:
    """Whether these pairs show that the candidate is faster by more than `GAIN`."""
    return stats.lower_bound(ratios(pairs), CONFIDENCE) > GAIN


def race(
    default: C,
    candidates: Sequence[C],
    measure: Callable[[C], float],
    *,
    left: Callable[[], float],
    typical: float,
    rng: random.Random,
) -> Outcome[C]:
    """The candidate that is faster than `default`, if there is one.

    `measure` gives the seconds of a fixed piece of work, or raises CandidateFailed; for the
    default that ends the race. `left` gives the seconds that are left, of which a measurement
    takes about `typical`; candidates come most promising first, because the last ones are left
    out when time is short.
    """
    run = _Race(default, measure, left, typical, rng)
    room = int(left() / max(typical, 1e-9) + 0.5) - 2 * stats.pairs_needed(CONFIDENCE)
    able = room // ROUNDS_A_STAGE - 1  # candidates, beside the default
    if able < 1:
        return Outcome(winner=None, why="there was not enough time to measure it")
    entered = list(candidates[:able])
    try:
        number = run.select(entered)
        if number is None:
            return Outcome(winner=None, why="nothing else was faster" + _failures(run.failed))
        pairs = run.prove(entered[number])
    except CandidateFailed as error:
        return Outcome(winner=None, why=f"the measurement failed: {error}")
    gain = stats.median(ratios(pairs))
    if not proved(pairs):
        return Outcome(
            winner=None, gain=gain, pairs=tuple(pairs), why="no clear gain over the default"
        )
    return Outcome(
        winner=entered[number],
        gain=gain,
        pairs=tuple(pairs),
        why=f"{gain:.2f} times as fast as the default, in {len(pairs)} pairs",
    )


def _failures(failed: dict[int, str]) -> str:
    return f" ({len(failed)} did not run)" if failed else ""
