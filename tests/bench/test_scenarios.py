"""The same question for everybody, and no two blocks begin alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.bench.scenarios import CHARACTERS, Size, chosen, estimated, filler, request, why_not
from smolpc.catalog import load_catalog
from smolpc.errors import UsageError
from smolpc.schema.bench import Player, Scenario
from smolpc.schema.model import Fill
from smolpc.schema.running import Request

KNOWN = load_catalog().scenarios


def text(asked: Request) -> str:
    return asked.prompt + "".join(message["content"] for message in asked.messages)


def test_the_shipped_scenarios_load_and_have_their_file_names() -> None:
    assert {"short-chat", "code-completion", "code-edit", "system-prompt"} <= KNOWN.keys()
    assert all(name == one.name for name, one in KNOWN.items())
    quick = chosen(KNOWN.values())
    assert {one.fill for one in quick} == {0.0}
    assert len(chosen(KNOWN.values(), full=True)) > len(quick)


def test_names_choose_and_unknown_ones_say_what_is_near() -> None:
    assert [one.name for one in chosen(KNOWN.values(), ["code-edit", "code-edit"])] == ["code-edit"]
    with pytest.raises(UsageError, match="did you mean 'code-edit'"):
        chosen(KNOWN.values(), ["code-edti"])


@pytest.mark.parametrize("scenario", KNOWN.values(), ids=str)
def test_two_blocks_share_no_beginning_unless_that_is_what_is_measured(scenario: Scenario) -> None:
    first, second = (text(request(scenario, number)) for number in (1000, 1002))
    shared = next(
        (n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), len(first)
    )
    assert first != second
    if scenario.warm:
        assert shared > len(scenario.system) * 0.9 > 0
    else:
        assert shared < 8


@pytest.mark.parametrize("scenario", KNOWN.values(), ids=str)
def test_the_same_block_asks_everybody_the_same(scenario: Scenario) -> None:
    assert request(scenario, 1004) == request(scenario, 1004)
    assert request(scenario, 1004).max_tokens == scenario.answer
    assert request(scenario, 1004, answer=3).max_tokens == 3


FILLED = st.sampled_from([one for one in KNOWN.values() if one.fill])


@given(FILLED, st.integers(512, 32768), st.floats(10, 100), st.floats(20, 200))
def test_a_filler_fills_its_share_and_leaves_room_for_the_answer(
    scenario: Scenario, context: int, alone: float, each: float
) -> None:
    times = len(filler(scenario, context, Size(alone, each))) / len(scenario.filler)
    asked = alone + times * each
    assert asked + scenario.answer <= context
    assert asked >= min(scenario.fill * context, context - scenario.answer) - each - 8
    assert asked <= scenario.fill * context or not times


def test_until_somebody_counts_a_filler_is_too_short_rather_than_too_long() -> None:
    scenario = KNOWN["long-context-90"]
    words = text(request(scenario, 1000, filler(scenario, 4096, estimated(scenario))))
    assert 0.85 * 4096 < len(words) / CHARACTERS < 0.9 * 4096


def test_a_share_of_the_context_needs_a_text_to_fill_it_with() -> None:
    with pytest.raises(ValueError, match="filler"):
        Scenario(name="x", title="x", about="x", prompt="x", answer=1, fill=0.5)


def test_a_model_without_a_template_is_asked_in_plain_text() -> None:
    for scenario in KNOWN.values():
        asked, plain = request(scenario, 1000), request(scenario, 1000, plain=True)
        assert plain.raw
        assert (plain.messages, plain.prompt) == (asked.messages, asked.prompt)


FILL = Fill(prefix="<P>", suffix="<S>", middle="<M>")


def test_a_gap_is_asked_for_with_the_marks_of_the_model() -> None:
    gap = KNOWN["fill-in-the-middle"]
    asked = request(gap, 1000, fill=FILL)
    before, behind = asked.prompt.removeprefix("<P>").removesuffix("<M>").split("<S>")
    assert asked.raw
    assert before == f"# 1000\n{gap.prompt}"
    assert behind == gap.suffix


@pytest.mark.parametrize(
    ("name", "player", "fills", "why"),
    [
        ("short-chat", "llamacpp", False, ""),
        ("fill-in-the-middle", "llamacpp", True, ""),
        ("fill-in-the-middle", "llama-server", False, "no marks are known"),
        ("four-at-once", "llamacpp", True, "one at a time"),
        ("four-at-once", "llama-bench", True, "one at a time"),
        ("four-at-once", "ollama", False, ""),
    ],
)
def test_who_takes_part_in_what(name: str, player: Player, fills: bool, why: str) -> None:
    said = why_not(KNOWN[name], player, fills=fills)
    assert why in said
    assert bool(said) == bool(why)
