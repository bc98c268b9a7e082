"""Marks lie inside the plot, at their value."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from smolpc.bench.report.plots import LEFT, RIGHT, TICKS, across, extent, plot, ticks
from smolpc.schema.bench import BenchResult
from tests.bench.report import odd
from tests.bench.results import METRICS, result, summed_up

values = st.lists(st.one_of(st.just(0.0), st.floats(1e-12, 1e15)), min_size=1, max_size=9)


@given(values)
def test_every_value_lies_within_the_axis_and_the_order_stays(found: list[float]) -> None:
    low, high = extent(found)
    assert low < high and low >= 0
    places = [across(one, low, high) for one in sorted(found)]
    assert places == sorted(places)
    assert places[0] >= LEFT and places[-1] <= RIGHT


@given(values)
def test_ticks_are_few_and_on_the_axis(found: list[float]) -> None:
    low, high = extent(found)
    made = ticks(low, high, TICKS)
    assert len(made) <= TICKS and made == sorted(made)
    assert all(LEFT - 0.2 <= across(one, low, high) <= RIGHT + 0.2 for one in made)


def test_ticks_are_round() -> None:
    assert ticks(44.7, 62.3, 5) == [45, 50, 55, 60]
    assert ticks(0, 1, 5) == [0, 0.5, 1]


def test_an_axis_begins_at_zero_only_when_that_is_near() -> None:
    assert extent([1, 10])[0] == 0
    assert extent([9, 10])[0] > 8


def test_a_median_is_where_its_value_is() -> None:
    found = plot(result(), "short-chat", "decode")
    assert found is not None
    first, _, third = found.strips
    assert first.median and third.median and first.low and first.high
    assert third.median < first.low <= first.median <= first.high
    assert first.text == first.shown and "to" in first.text


def test_a_long_name_leaves_out_the_interval() -> None:
    found = plot(result({"a long name of a program that goes on": 1.0}), "short-chat", "decode")
    assert found is not None
    (strip,) = found.strips
    assert strip.name.endswith("…") and "(" in strip.text and "(" not in strip.shown
    assert "goes on" in found.spoken


def test_nothing_measured_and_nothing_that_counts_are_told_apart() -> None:
    found = plot(result(flagged=range(12)), "short-chat", "decode")
    assert found and {one.text for one in found.strips} == {"no answer counts"}
    less = result({"in process": 1.0, "Ollama": 1.0})
    kept = tuple(one for one in less.answers if one.variant != "Ollama")
    some = plot(summed_up(msgspec.structs.replace(less, answers=kept)), "short-chat", "decode")
    assert some and some.strips[1].text == "not measured"


def test_the_time_of_llama_bench_is_not_that_of_an_answer() -> None:
    found = result({"in process": 1.0, "llama-bench": 1.0})
    decode, total = (
        plot(found, "short-chat", one) for one in METRICS if one in ("total", "decode")
    )
    assert total and decode and len(total.strips) == 1 and len(decode.strips) == 2


@settings(max_examples=40)
@given(odd.results(), st.sampled_from(METRICS))
def test_odd_results_have_plots_or_none(found: BenchResult, metric: str) -> None:
    for scenario in found.scenarios:
        made = plot(found, scenario.name, metric)  # type: ignore[arg-type]
        dots = [dot for strip in made.strips for dot in strip.dots] if made else []
        assert all(LEFT <= dot.x <= RIGHT for dot in dots)
