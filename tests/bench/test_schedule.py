"""Promises: everybody has the same turns, in an order that a seed repeats; the time is kept."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.bench.schedule import go_on, order, widest
from smolpc.schema.bench import Comparison, Estimate, Metric, Summary

names = st.lists(st.text("abc", min_size=1), unique=True, max_size=5)


@given(names, names, st.integers(), st.integers(0, 99))
def test_each_block_has_every_turn_once_and_scenarios_together(
    scenarios: list[str], variants: list[str], seed: int, block: int
) -> None:
    turns = order(scenarios, variants, seed=seed, block=block)
    assert sorted(turns) == sorted((s, v) for s in scenarios for v in variants)
    size = len(variants)
    for start in range(0, len(turns), size or 1):
        assert len({scenario for scenario, _ in turns[start : start + size]}) == 1
    assert turns == order(scenarios, variants, seed=seed, block=block)


def test_orders_differ_and_nobody_is_always_first() -> None:
    blocks = [order(["x", "y"], ["a", "b", "c"], seed=5, block=block) for block in range(60)]
    assert len(set(blocks)) > 30
    for variant in "abc":
        first = sum(turns[0][1] == variant for turns in blocks)
        assert 8 <= first <= 34
    assert blocks != [order(["x", "y"], ["a", "b", "c"], seed=6, block=b) for b in range(60)]


@given(
    st.lists(st.floats(0, 100), max_size=30),
    st.floats(-10, 200),
    st.integers(0, 30),
    st.floats(0, 1) | st.just(inf),
)
def test_no_block_begins_that_may_not_end_in_time(
    blocks: list[float], left: float, most: int, width: float
) -> None:
    if go_on(blocks, left=left, most=most, width=width):
        assert left > 0 and len(blocks) < most
        assert left >= max(blocks, default=0)
        assert len(blocks) < 6 or width > 0.02


def test_six_blocks_at_least_then_until_the_intervals_are_narrow() -> None:
    assert go_on([1.0] * 5, left=60, most=20, width=0.001)
    assert not go_on([1.0] * 6, left=60, most=20, width=0.02)
    assert go_on([1.0] * 6, left=60, most=20, width=0.021)
    assert not go_on([1.0] * 6, left=60, most=20, width=0.021, narrow=0.05)
    assert not go_on([1.0, 9.0, 1.0], left=8.9, most=20, width=1)
    assert not go_on([1.0] * 20, left=60, most=20, width=1)


def comparison(metric: Metric, low: float | None, high: float | None) -> Comparison:
    ratio = Estimate(median=1.0, low=low, high=high, count=6)
    return Comparison(
        scenario="s", metric=metric, base="a", variant="b", ratio=ratio, verdict="parity"
    )


def test_only_primary_metrics_ask_for_more_blocks() -> None:
    assert widest([comparison("decode", 0.99, 1.02), comparison("memory", 0.5, 2)]) < 0.031
    assert widest([comparison("decode", 0.99, 1.02), comparison("total", None, None)]) == inf


def test_while_nothing_counts_or_is_sure_it_goes_on() -> None:
    assert widest([]) == inf
    assert widest([comparison("memory", 0.99, 1.01)]) == inf


def test_a_single_player_is_measured_until_its_own_figures_are_narrow() -> None:
    def figure(metric: Metric, low: float | None, high: float | None) -> Summary:
        value = Estimate(median=100.0, low=low, high=high, count=8)
        return Summary(scenario="s", variant="a", metric=metric, value=value)

    assert widest([figure("decode", 98, 103), figure("cpu", 10, 200)]) == pytest.approx(0.05)
    assert widest([figure("decode", None, None)]) == inf
