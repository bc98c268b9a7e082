"""Spans behave like a set of byte positions."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from smolpc.net.fetch.spans import Spans

END = 40
SPAN = st.tuples(st.integers(0, END), st.integers(0, END))
CHANGES = st.lists(st.tuples(st.booleans(), SPAN), max_size=30)


def build(changes: list[tuple[bool, tuple[int, int]]]) -> tuple[Spans, set[int]]:
    spans, model = Spans(), set[int]()
    for adds, (start, end) in changes:
        if adds:
            spans.add(start, end)
            model |= set(range(start, end))
        else:
            spans.remove(start, end)
            model -= set(range(start, end))
    return spans, model


def positions(spans: object) -> set[int]:
    return {byte for start, end in spans for byte in range(start, end)}  # type: ignore[attr-defined]


@given(CHANGES)
def test_adding_and_removing_is_that_of_a_set(changes: list[tuple[bool, tuple[int, int]]]):
    spans, model = build(changes)
    assert positions(spans) == model
    assert spans.total == len(model)
    found = list(spans)
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(found))
    assert all(start < end for start, end in found)


@given(CHANGES, SPAN)
def test_questions(changes: list[tuple[bool, tuple[int, int]]], span: tuple[int, int]):
    spans, model = build(changes)
    start, end = span
    assert positions(spans.gaps(end)) == set(range(end)) - model
    assert positions(spans.within(start, end)) == model & set(range(start, end))
    reach = start
    while reach in model:
        reach += 1
    assert spans.reach(start) == reach
    if start < end:
        assert spans.holds(start, end) == (set(range(start, end)) <= model)


@given(CHANGES, CHANGES)
def test_minus_and_copy(
    one: list[tuple[bool, tuple[int, int]]], other: list[tuple[bool, tuple[int, int]]]
):
    (spans, model), (less, fewer) = build(one), build(other)
    copy = spans.copy()
    assert positions(spans.minus(less)) == model - fewer
    copy.add(0, END)
    assert positions(spans) == model
