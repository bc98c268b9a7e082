"""Turns: everybody gets the same questions, in blocks, and nothing is left open."""

from __future__ import annotations

import msgspec
import pytest

from smolpc.bench import machine, run
from smolpc.bench.run import WARM_UP, Runner
from smolpc.bench.schedule import order
from smolpc.catalog import load_catalog
from smolpc.errors import PrerequisiteError
from smolpc.schema.bench import Scenario
from smolpc.schema.model import Fill
from tests.bench.players.fake import Fake

KNOWN = load_catalog().scenarios
GAP, FOUR = KNOWN["fill-in-the-middle"], KNOWN["four-at-once"]
FILL = Fill(prefix="<P>", suffix="<S>", middle="<M>")
CHAT, WARM = KNOWN["short-chat"], KNOWN["system-prompt"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "PAUSE", 0.0)
    monkeypatch.setattr(machine, "anchor", lambda _: 0.02)


def runner(
    *players: Fake,
    scenarios: tuple[Scenario, ...] = (CHAT,),
    together: bool = True,
    fills: dict[str, Fill] | None = None,
) -> Runner:
    return Runner(players, scenarios, context=4096, together=together, fills=fills)


def one_block(made: Runner, number: int = 0) -> None:
    made.block(number, order(list(made.scenarios), list(made.players), seed=1, block=number))


def test_everybody_is_asked_the_same_and_each_block_something_new() -> None:
    one, other = Fake("one"), Fake("other")
    with runner(one, other, scenarios=(CHAT, WARM)) as made:
        made.warm_up()
        for number in range(3):
            one_block(made, number)
    asked = [
        sorted(question.request.messages[-1]["content"] for question in player.asked)
        for player in (one, other)
    ]
    assert asked[0] == asked[1]
    chat = [text for text in asked[0] if CHAT.prompt in text]
    assert len(chat) == len(set(chat)) == 4  # the warm-up, three blocks
    assert not one.is_open and not other.is_open


def test_the_warm_up_is_short_and_does_not_count() -> None:
    one = Fake("one")
    with runner(one) as made:
        made.warm_up()
        assert made.measured.answers == []
        assert [question.request.max_tokens for question in one.asked] == [WARM_UP]
        assert made.depths == {CHAT.name: 20}
        one_block(made)
        assert one.asked[-1].request.max_tokens == CHAT.answer
        assert one.asked[-1].depth == 20


def test_a_warm_scenario_is_asked_twice_and_measured_once() -> None:
    one = Fake("one")
    with runner(one, scenarios=(WARM,)) as made:
        one_block(made)
    assert [question.request.max_tokens for question in one.asked] == [1, WARM.answer]
    assert all(question.warm for question in one.asked)
    assert len(made.measured.answers) == 1


def test_players_that_do_not_fit_together_are_opened_for_their_turn() -> None:
    one, other = Fake("one"), Fake("other")
    with runner(one, other, together=False) as made:
        made.warm_up()
        one_block(made)
        assert one.is_open + other.is_open == 1
    assert one.opened >= 2 and other.opened >= 1


def test_a_block_has_an_anchor_on_both_sides_and_a_condition() -> None:
    with runner(Fake("one")) as made:
        one_block(made)
    assert [anchor.block for anchor in made.measured.anchors] == [0, 0]
    assert [condition.block for condition in made.measured.conditions] == [0]


def test_a_player_that_breaks_ends_the_run_and_the_others_are_closed() -> None:
    one, other = Fake("one"), Fake("other")
    with pytest.raises(PrerequisiteError, match="on purpose"), runner(one, other) as made:
        one_block(made)
        other.broken = True
        one_block(made, 1)
    assert not one.is_open and not other.is_open


def test_long_texts_are_as_long_as_the_model_counts_them() -> None:
    """Half the players count more tokens in the same text; theirs is what counts for all."""
    long = KNOWN["long-context-50"]
    one, other = Fake("one", counts=4.0), Fake("other", counts=2.5)
    other.variant = msgspec.structs.replace(other.variant, model="another")
    with runner(one, other, scenarios=(long,)) as made:
        made.warm_up()
        one_block(made)
    tokens = {answer.variant: answer.prompt_tokens for answer in made.measured.answers}
    each = len(long.filler) / 2.5
    assert 0.5 * 4096 - each <= tokens["other"] <= 0.5 * 4096
    assert tokens["one"] == pytest.approx(tokens["other"] * 2.5 / 4, rel=0.01)
    assert made.depths[long.name] > 1000


def test_four_at_once_ask_different_things_and_count_as_one_answer() -> None:
    one = Fake("one")
    with runner(one, scenarios=(FOUR,)) as made:
        one_block(made)
    questions = {question.request.messages[-1]["content"] for question in one.asked}
    assert len(questions) == len(one.asked) == 4
    (answer,) = made.measured.answers
    assert answer.answer_tokens == 4 * FOUR.answer


def test_who_does_not_take_part_is_not_asked() -> None:
    alone, server = Fake("alone", player="llamacpp"), Fake("server")
    with runner(alone, server, scenarios=(CHAT, GAP, FOUR)) as made:
        made.warm_up()
        one_block(made)
    pairs = sorted((one.scenario, one.variant) for one in made.measured.answers)
    assert pairs == [("four-at-once", "server"), ("short-chat", "alone"), ("short-chat", "server")]


def test_a_gap_is_filled_with_the_marks_of_the_model() -> None:
    one = Fake("one")
    with runner(one, scenarios=(GAP,), fills={"one": FILL}) as made:
        one_block(made)
    assert one.asked[0].request.prompt.startswith("<P># ")
