"""A player that answers at known rates, without a model."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from smolpc.bench.players.protocol import Heard, Question
from smolpc.errors import PrerequisiteError
from smolpc.schema.bench import Player, Variant


class Fake:
    """`rate` gives tokens per second for the nth answer. `counts`: characters of a prompt that make
    a token of it (0: each prompt has 20 tokens)."""

    def __init__(
        self,
        name: str,
        rate: Callable[[int], float] = lambda _: 100.0,
        noise: float = 0.01,
        player: Player = "openai",
        counts: float = 0.0,
    ) -> None:
        self.variant = Variant(
            name=name, wish=name, player=player, model="m", model_sha256="a" * 64
        )
        self.rate, self.noise, self.random = rate, noise, random.Random(name)
        self.asked: list[Question] = []
        self.counts = counts
        self.opened = 0
        self.is_open = False
        self.broken = False

    @property
    def pids(self) -> Sequence[int]:
        return ()

    def open(self) -> None:
        self.is_open = True
        self.opened += 1

    def answer(self, question: Question) -> Heard:
        assert self.is_open
        if self.broken:
            raise PrerequisiteError("broken on purpose")
        self.asked.append(question)
        count = question.request.max_tokens or 1
        rate = self.rate(len(self.asked)) * self.random.lognormvariate(0, self.noise)
        return Heard(
            prompt_tokens=self._tokens(question),
            answer_tokens=count,
            first_token=0.1,
            prompt=200.0,
            decode=rate,
            total=0.1 + count / rate,
        )

    def _tokens(self, question: Question) -> int:
        texts = [question.request.prompt, *(one["content"] for one in question.request.messages)]
        return round(sum(map(len, texts)) / self.counts) if self.counts else 20

    def close(self) -> None:
        self.is_open = False
