"""Promises: blocks that were disturbed do not count, others do, and the reader is told."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.bench.drift import judge, mark, usual
from smolpc.schema.bench import Anchor, Condition
from tests.bench import noise


def anchors(*pairs: tuple[float, float]) -> list[Anchor]:
    return [
        Anchor(block=block, at=2.0 * block + late, seconds=seconds)
        for block, pair in enumerate(pairs)
        for late, seconds in enumerate(pair)
    ]


def busy(*processors: float) -> list[Condition]:
    return [Condition(block=block, other_cpu=one) for block, one in enumerate(processors)]


CALM = (0.1, 0.1)


def test_a_calm_run_counts_whole() -> None:
    assert judge(anchors(CALM, (0.104, 0.098), (0.1, 0.11)), busy(0, 0.2, 0.29)) == {}
    assert judge([]) == {} and usual([]) is None


@pytest.mark.parametrize(
    ("pair", "others", "flags"),
    [
        (CALM, 0.31, ("load",)),
        ((0.13, 0.13), 0.15, ("load",)),  # slow, and others were there
        ((0.13, 0.13), 0.0, ("drift",)),  # slow, nobody knows why
        ((0.1, 0.12), 0.0, ("drift",)),  # changed during the block
        ((0.12, 0.1), 0.0, ("drift",)),
        ((0.07, 0.07), 0.0, ("drift",)),  # faster than usual
        ((0.3, 0.3), 5.0, ("load",)),
        ((0.11, 0.12), 0.2, ()),
    ],
)
def test_a_disturbed_block_is_flagged(
    pair: tuple[float, float], others: float, flags: tuple[str, ...]
) -> None:
    found = judge(anchors(*[CALM] * 6, pair), busy(*[0] * 6, others))
    assert found == ({6: flags} if flags else {})


@pytest.mark.parametrize("seen", [True, False])  # a hypervisor's load is not seen
@given(seed=st.integers(0, 1000), slow=st.floats(1.4, 4.0))
def test_half_of_the_run_may_be_loaded(seen: bool, seed: int, slow: float) -> None:
    rng = random.Random(seed)
    loaded = set(rng.sample(range(10), 5))
    pairs = []
    for block in range(10):
        pace = slow if block in loaded else 1.0
        pairs.append((0.1 * pace * rng.uniform(0.97, 1.03), 0.1 * pace * rng.uniform(0.97, 1.03)))
    others = busy(*(1.5 if seen and block in loaded else 0.0 for block in range(10)))
    found = judge(anchors(*pairs), others)
    assert set(found) == loaded
    assert set(found.values()) == {("load",) if seen else ("drift",)}


def test_more_than_half_may_be_loaded_where_it_is_seen() -> None:
    slow = (0.15, 0.15)
    found = judge(anchors(slow, slow, slow, CALM, CALM), busy(2, 2, 2, 0, 0))
    assert found == {0: ("load",), 1: ("load",), 2: ("load",)}


def test_answers_keep_their_own_flags_and_the_notes_count_blocks() -> None:
    answers = noise.run("normal", 1, blocks=3, scenarios=1)
    first = mark(answers, anchors(CALM, CALM, CALM), busy(0, 1, 0))
    again, notes = mark(first[0], anchors(CALM, CALM, (0.1, 0.2)), busy(0, 1, 0))
    assert [one.flags for one in again] == [(), (), ("load",), ("load",), ("drift",), ("drift",)]
    assert first[1] == ("1 of 3 blocks does not count: other programs used the processor",)
    assert len(notes) == 2 and notes[1].startswith("1 of 3 blocks does not count: the PC became")


def test_a_run_without_a_calm_block_says_so() -> None:
    answers = noise.run("normal", 1, blocks=2, scenarios=1)
    _, notes = mark(answers, anchors(CALM, CALM), busy(1, 1))
    assert notes[0].startswith("2 of 2 blocks do not count")
    assert "close other programs" in notes[-1]
