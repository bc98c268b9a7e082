"""The measurement itself: everybody in turns, block after block, with an eye on the machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext

import psutil

from smolpc.bench import machine, scenarios
from smolpc.bench.gpus import Gpus
from smolpc.bench.players.protocol import Heard, Player, Question
from smolpc.bench.players.timing import together as all_as_one
from smolpc.bench.scenarios import Size
from smolpc.detect import libraries
from smolpc.schema.bench import Anchor, Answer, Condition, Figures, Scenario
from smolpc.schema.model import Fill

PAUSE = 0.15  # seconds after an answer of a player whose processes nobody knows
NEXT_ASKER = 100_000  # between the numbers of those who ask at the same time
WARM_UP = 8  # tokens of the first answer of each player, which does not count
SAMPLE = 8  # times that a filler stands in a question to count its tokens


def text_of(scenario: Scenario) -> tuple[str, ...]:
    """What the tokens of a scenario's question depend on, besides how often the filler stands
    in it."""
    return scenario.system, scenario.filler, scenario.prompt


class Measured:
    """What was measured so far."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.anchors: list[Anchor] = []
        self.conditions: list[Condition] = []
        self.notes: dict[str, None] = {}  # in order, each once


class Runner:
    """Takes turns. `together`: all players fit into memory at a time; else each is opened for
    its turn. `context`: tokens, for texts that fill a share of it. `fills`: how a player is asked
    to fill a gap, by its name. `plain`: who runs a model without a chat template."""

    def __init__(
        self,
        players: Sequence[Player],
        wanted: Sequence[Scenario],
        *,
        context: int,
        together: bool = True,
        fills: Mapping[str, Fill] | None = None,
        plain: Collection[str] = (),
        on_answer: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.players = {player.variant.name: player for player in players}
        self.scenarios = {one.name: one for one in wanted}
        self.together, self.context, self.on_answer = together, context, on_answer
        self.fills, self.plain = fills or {}, plain
        self.measured = Measured()
        self.depths: dict[str, int] = {}  # prompt tokens of a scenario, once somebody read it
        self.sizes: dict[tuple[str, ...], Size] = {}  # of texts with a filler, once counted
        self.loads: dict[str, float] = {}  # seconds that opening took
        self.began = time.perf_counter()
        self._processors = libraries.affinity() or 1
        self._stack = ExitStack()
        self._gpus = Gpus()
        self._open: set[str] = set()
        self._others = machine.Others(self._pids)

    def _pids(self) -> list[int]:
        own = [psutil.Process().pid]
        return own + [pid for name in self._open for pid in self.players[name].pids]

    def __enter__(self) -> Runner:
        self._gpus.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._gpus.__exit__()
        self._stack.close()

    def why_not(self, scenario: str, variant: str) -> str:
        """Why this one does not take part in that scenario; "" when it does."""
        player = self.players[variant].variant.player
        return scenarios.why_not(self.scenarios[scenario], player, fills=variant in self.fills)

    @property
    def now(self) -> float:
        return time.perf_counter() - self.began

    def warm_up(self) -> None:
        """Load everybody, and let them read each scenario once; that also tells how many
        tokens its prompt has. Raises SmolpcError when a player cannot play."""
        names = sorted(self.players, key=lambda one: self.players[one].variant.player)
        self._count(names)
        for name in names:
            for scenario in self.scenarios.values():
                if self.why_not(scenario.name, name):
                    continue
                heard = self._ask(name, scenario, 0, answer=WARM_UP)
                if heard.first_token is not None:
                    self.depths.setdefault(scenario.name, heard.prompt_tokens)

    def _count(self, names: Sequence[str]) -> None:
        """How many tokens a filler has, from two short questions to a player of each model. Of
        several models the one with the most tokens counts: everybody reads the same."""
        texts = {text_of(one): one for one in self.scenarios.values() if one.fill}
        for text, scenario in texts.items():
            models: set[str] = set()
            for name in names:
                variant = self.players[name].variant
                if variant.player == "llama-bench" or variant.model in models:  # that reads no text
                    continue
                few, many = (
                    self._ask(name, scenario, 0, answer=1, filler=scenario.filler * times)
                    for times in (1, 1 + SAMPLE)
                )
                each = (many.prompt_tokens - few.prompt_tokens) / SAMPLE
                if each > 0:  # else it does not tell
                    models.add(variant.model)
                    known = self.sizes.get(text, Size(0, 0))
                    alone = max(known.alone, few.prompt_tokens - each)
                    self.sizes[text] = Size(alone, max(known.filler, each))

    def block(self, number: int, order: Sequence[tuple[str, str]]) -> None:
        """One block: `order` are pairs of scenario and variant; who does not take part in a
        scenario is left out."""
        self._anchor(number)
        throttles = machine.throttles()
        playing = [pair for pair in order if not self.why_not(*pair)]
        for place, (scenario, variant) in enumerate(playing):
            self.on_answer(f"{variant}: {self.scenarios[scenario].title}")
            self._turn(number, place, self.scenarios[scenario], variant)
        busy = self._others.busy()
        self.measured.conditions.append(machine.condition(number, busy, throttles))
        self._anchor(number)

    def _settle(self) -> None:
        """Wait until nobody who answered before still works."""
        known = [self.players[name].pids for name in self._open]
        if not all(known):
            time.sleep(PAUSE)
        machine.settle(pid for pids in known for pid in pids)

    def _anchor(self, block: int) -> None:
        self._settle()
        at = self.now
        seconds = machine.anchor(self._processors)
        self.measured.anchors.append(Anchor(block=block, at=at, seconds=seconds))

    def _turn(self, block: int, place: int, scenario: Scenario, variant: str) -> None:
        if scenario.warm:
            self._ask(variant, scenario, block, answer=1)
        player = self.players[variant]
        self._ready(variant)
        self._settle()
        at = self.now
        own = bool(player.pids)
        with (
            machine.Watch(player.pids, self._gpus) as watch,
            self._others.watched() if own else nullcontext(),
        ):
            heard = self._ask(variant, scenario, block)
        self.measured.answers.append(
            Answer(
                scenario=scenario.name,
                variant=variant,
                block=block,
                place=place,
                at=at,
                **{name: getattr(heard, name) for name in Figures.__struct_fields__},
                cpu=watch.cpu if own else None,
                memory=watch.peak if own else None,
                vram=watch.vram if own else None,
                energy=watch.energy if own else None,
                load=self.loads.get(variant),
            )
        )
        for note in heard.notes:
            self.measured.notes[f"{variant}: {note}"] = None

    def _ask(
        self, variant: str, scenario: Scenario, block: int, answer: int = 0, filler: str = ""
    ) -> Heard:
        """One question, or several at a time. The same block asks everybody the same; no two
        blocks are alike. `filler` "": as much as the scenario wants."""
        self._ready(variant)
        number = 1000 + 2 * block + bool(answer)
        size = self.sizes.get(text_of(scenario)) or scenarios.estimated(scenario)
        filler = filler or scenarios.filler(scenario, self.context, size)
        depth = self.depths.get(scenario.name, 0)
        questions = [
            Question(
                request=scenarios.request(
                    scenario,
                    number + place * NEXT_ASKER,
                    filler,
                    answer,
                    self.fills.get(variant),
                    variant in self.plain,
                ),
                warm=scenario.warm,
                depth=depth,
            )
            for place in range(scenario.parallel)
        ]
        player = self.players[variant]
        if len(questions) == 1:
            return player.answer(questions[0])
        pool = ThreadPoolExecutor(len(questions))
        try:
            return all_as_one(list(pool.map(player.answer, questions)))
        finally:  # after Ctrl-C the player is closed, which ends the others
            pool.shutdown(wait=False, cancel_futures=True)

    def _ready(self, variant: str) -> None:
        if variant in self._open:
            return
        if not self.together:
            self._stack.close()
            self._open.clear()
        started = time.perf_counter()
        player = self.players[variant]
        player.open()
        self._stack.callback(player.close)
        self._open.add(variant)
        if player.pids:
            self.loads[variant] = time.perf_counter() - started
