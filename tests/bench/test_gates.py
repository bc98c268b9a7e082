"""Promises: a gate means what it says, fails only when the data say so, and never silently
concerns nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.bench.gates import SIGNS, Gate, judge, parse
from smolpc.bench.summary import METRICS
from smolpc.errors import UsageError
from smolpc.schema.bench import Comparison, Estimate, Metric


def comparison(
    median: float,
    low: float | None = None,
    high: float | None = None,
    *,
    metric: Metric = "decode",
    scenario: str = "short-chat",
) -> Comparison:
    return Comparison(
        scenario=scenario,
        metric=metric,
        base="a",
        variant="b",
        ratio=Estimate(median=median, low=low, high=high, count=9),
        verdict="unknown",
    )


def test_conditions_are_read() -> None:
    assert parse("decode < 0.97") == (Gate(metric="decode", sign="<", number=0.97),)
    assert parse("v1.2.first_token>=110%, Total > 1.1 or memory<=90 %") == (
        Gate(scenario="v1.2", metric="first_token", sign=">=", number=1.1),
        Gate(metric="total", sign=">", number=1.1),
        Gate(metric="memory", sign="<=", number=0.9),
    )


@given(
    st.sampled_from(METRICS),
    st.sampled_from(SIGNS),
    st.integers(1, 5000),
    st.sampled_from(["", "short-chat", "v1.2", "or", "x.decode", "this-or-that", "9_-."]),
)
def test_what_a_gate_prints_reads_as_the_same_gate(
    metric: Metric, sign: str, thousandths: int, scenario: str
) -> None:
    gate = Gate(metric=metric, sign=sign, number=thousandths / 1000, scenario=scenario)  # type: ignore[arg-type]
    assert parse(str(gate)) == (gate,)


@given(st.text())
def test_any_other_text_is_a_usage_error(text: str) -> None:
    try:
        parse(text)
    except UsageError as error:
        assert error.why and error.next_step


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is not a condition"),
        ("decode", "'decode' is not a condition"),
        ("decode = 1", "is not a condition"),
        ("decode < 1,", "'' is not a condition"),
        ("decode < -1", "is not a condition"),
        ("decode < nan", "is not a condition"),
        ("decode < 0", "more than 0"),
        ("deocde < 1", "did you mean 'decode'?"),
        ("short-chat.frist_token < 1", "did you mean 'first_token'?"),
    ],
)
def test_mistakes_are_explained(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(text)
    assert said in error.value.what


@pytest.mark.parametrize(
    ("one", "failed", "strictly"),
    [
        (comparison(0.9, 0.85, 0.95), True, True),
        (comparison(0.96, 0.9, 1.02), None, True),  # may be noise
        (comparison(0.98, 0.95, 1.02), None, False),
        (comparison(1.0, 0.98, 1.02), False, False),
        (comparison(0.5), None, True),  # too few
        (comparison(1.5), None, False),
    ],
)
def test_only_data_that_say_so_fail(one: Comparison, failed: bool | None, strictly: bool) -> None:
    gates = parse("decode < 0.97")
    assert [found.failed for found in judge(gates, [one])] == [failed]
    assert [found.failed for found in judge(gates, [one], strict=True)] == [strictly]


def test_a_gate_concerns_its_scenario_or_all() -> None:
    both = [comparison(0.9, 0.8, 0.95), comparison(1.0, 0.99, 1.01, scenario="code-edit")]
    assert [one.failed for one in judge(parse("decode < 0.97"), both)] == [True, False]
    assert [one.failed for one in judge(parse("code-edit.decode < 0.97"), both)] == [False]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("short-chta.decode < 1", "did you mean 'short-chat'?"),
        ("memory > 1.1", "'memory' was not compared"),
        ("short-chat.memory > 1.1", "'memory' was not compared"),
    ],
)
def test_a_gate_that_concerns_nothing_is_an_error(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        judge(parse(text), [comparison(1.0)])
    assert said in error.value.what and "decode" in (error.value.why + "decode")


def test_a_gate_on_nothing_at_all_is_an_error() -> None:
    with pytest.raises(UsageError):
        judge(parse("decode < 1"), [])
