"""Questions from scenarios: the same words for every player, and none begins like one before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from smolpc.catalog.reading import did_you_mean
from smolpc.errors import UsageError
from smolpc.schema.bench import Player, Scenario
from smolpc.schema.model import Fill
from smolpc.schema.running import Message, Request

CHARACTERS = 3.5  # per token, where nobody can count: too few rather than too many
SERVERS: tuple[Player, ...] = ("llama-server", "ollama", "openai")
ROOM = 32  # tokens that a chat template may add
SPARE = 8  # tokens by which two questions of a scenario may differ


class Size(NamedTuple):
    """Tokens of a question without its filler, and of the filler once."""

    alone: float
    filler: float


def chosen(
    known: Iterable[Scenario], names: Sequence[str] = (), *, full: bool = False
) -> tuple[Scenario, ...]:
    """The scenarios of these names; without names the two-minute set, or all with `full`.

    Raises UsageError for a name that nothing has.
    """
    by_name = {one.name: one for one in known}
    for name in names:
        if name not in by_name:
            raise UsageError(
                f"there is no scenario '{name}'{did_you_mean(name, by_name)}",
                why=f"known: {', '.join(by_name)}",
                next_step="smolpc bench.scenarios",
            )
    if names:
        return tuple(by_name[name] for name in dict.fromkeys(names))
    return tuple(one for one in by_name.values() if full or one.quick)


def request(
    scenario: Scenario,
    number: int,
    filler: str = "",
    answer: int = 0,
    fill: Fill | None = None,
    plain: bool = False,
) -> Request:
    """The question of this scenario for one block, for `answer` tokens (0: its own number).
    `fill`: the marks of the model, for a scenario with a gap. `plain`: it has no chat template, and
    every program would put another one in its place.

    A number at its very beginning keeps a player from using what it computed for the one before;
    a `warm` scenario wants just that, so there the number is behind the system prompt.
    """
    prompt = f"{filler}{scenario.prompt}"
    most = answer or scenario.answer
    if scenario.raw or scenario.suffix:
        text = f"# {number}\n{prompt}"
        if scenario.suffix and fill is not None:
            text = fill.around(text, scenario.suffix)
        return Request(prompt=text, raw=True, max_tokens=most)
    system = scenario.system
    if system and not scenario.warm:
        system = f"{number}. {system}"
    first = (Message(role="system", content=system),) if system else ()
    asked = Message(role="user", content=f"{number}. {prompt}")
    return Request(messages=(*first, asked), raw=plain, max_tokens=most)


def estimated(scenario: Scenario) -> Size:
    """For as long as nobody has counted."""
    alone = len(scenario.system + scenario.prompt) / CHARACTERS + ROOM
    return Size(alone, len(scenario.filler) / CHARACTERS)


def filler(scenario: Scenario, context: int, size: Size) -> str:
    """As much of the filler as brings the prompt to `fill` of `context` tokens, and the answer
    still fits."""
    if not scenario.fill:
        return ""
    whole = min(scenario.fill * context, context - scenario.answer - SPARE)
    return scenario.filler * max(0, int((whole - size.alone) / size.filler))


def why_not(scenario: Scenario, player: Player, *, fills: bool) -> str:
    """Why a player does not take part in this scenario; "" when it does. `fills`: its model
    fills gaps, and it is known how."""
    if scenario.parallel > 1 and player not in SERVERS:
        return "it answers one at a time"
    if scenario.suffix and not fills:
        return "no marks are known with which its model fills a gap"
    return ""
