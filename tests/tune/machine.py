"""A simulated noisy machine: what a measurement on a shared PC looks like."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

from smolpc.tune.race import CandidateFailed


class NoisyMachine:
    """Work takes `speeds[candidate]` seconds, times drift, bursts of load and jitter."""

    def __init__(
        self, speeds: Mapping[str, float], seed: int, *, jitter: float = 0.03, bursts: float = 0.1
    ) -> None:
        self.speeds, self.random = speeds, random.Random(seed)
        self.jitter, self.bursts = jitter, bursts
        self.now, self.drift, self.measured = 0.0, 0.0, 0

    def measure(self, candidate: str) -> float:
        if candidate.startswith("broken"):
            self.now += 0.1
            raise CandidateFailed(f"{candidate} does not load")
        self.drift = 0.95 * self.drift + self.random.gauss(0, 0.02)
        seconds = self.speeds[candidate] * math.exp(
            self.drift + abs(self.random.gauss(0, self.jitter))
        )
        if self.random.random() < self.bursts:  # another program wakes up
            seconds *= 1 + self.random.random()
        self.now += seconds
        self.measured += 1
        return seconds
