"""Simulated runs on a noisy PC: what the answers of players with known speeds look like."""

from __future__ import annotations

import math
import random
from typing import Literal

from smolpc.schema.bench import Answer

Kind = Literal["normal", "lognormal", "heavy"]
NOISE = 0.02  # of each measurement
OUTLIERS = 0.05  # share of measurements that another program slows down
WILD = 1.3  # times as long


def factor(kind: Kind, rng: random.Random) -> float:
    """How many times as long as usual one measurement takes."""
    if kind == "lognormal":
        return 1 + NOISE * rng.lognormvariate(0, 0.8)
    wild = WILD if kind == "heavy" and rng.random() < OUTLIERS else 1.0
    return wild * math.exp(rng.gauss(0, NOISE))


def usual(kind: Kind) -> float:
    """The median of `factor`, near enough for 20 measurements."""
    if kind == "lognormal":
        return 1 + NOISE
    if kind == "normal":
        return 1.0
    return math.exp(0.0659 * NOISE)  # the normal quantile of 0.5 / 0.95


def run(
    kind: Kind,
    seed: int,
    *,
    blocks: int = 10,
    scenarios: int = 5,
    slowdown: float = 1.0,
    drift: float = 0.1,
) -> list[Answer]:
    """Answers of "base" and "other", which takes `slowdown` times as long in every scenario.

    The machine becomes slower by `drift` (a fraction) until the end, with a swing of half as
    much; the measurements of a pair stand next to each other.
    """
    rng = random.Random(seed)
    answers = []
    steps = blocks * scenarios * 2
    for block in range(blocks):
        for number in range(scenarios):
            pair = ["base", "other"]
            rng.shuffle(pair)
            for variant in pair:
                at = len(answers) / steps
                slow = 1 + drift * (at + 0.5 * math.sin(9 * at))
                slow *= slowdown if variant == "other" else 1.0
                first, each, whole = (slow * factor(kind, rng) for _ in range(3))
                answers.append(
                    Answer(
                        scenario=f"s{number}",
                        variant=variant,
                        block=block,
                        place=len(answers) % (2 * scenarios),
                        at=float(len(answers)),
                        prompt_tokens=100,
                        answer_tokens=64,
                        first_token=0.4 * first,
                        decode=20 / each,
                        total=3.0 * whole,
                    )
                )
    return answers


def names(scenarios: int) -> list[str]:
    return [f"s{number}" for number in range(scenarios)]
