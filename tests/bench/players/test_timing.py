"""The figures of an answer from the moments of its pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.bench.players.timing import Mark, heard, percentile, together


def test_an_even_stream() -> None:
    marks = [Mark(10.5 + 0.1 * n, 1) for n in range(11)]
    found = heard(10.0, marks, prompt_tokens=50)
    assert found.first_token == pytest.approx(0.5)
    assert found.prompt == pytest.approx(100)
    assert found.decode == pytest.approx(10)
    assert found.gap_p50 == pytest.approx(0.1)
    assert found.gap_p99 == pytest.approx(0.1)
    assert found.total == pytest.approx(1.5)
    assert found.answer_tokens == 11


def test_what_was_reused_was_not_read() -> None:
    found = heard(0.0, [Mark(0.1, 1)], prompt_tokens=50, reused_tokens=40)
    assert found.prompt == pytest.approx(100)
    assert found.decode is None  # one piece has no rate


def test_pieces_of_several_tokens_count_as_that_many() -> None:
    found = heard(0.0, [Mark(1.0, 1), Mark(1.4, 4), Mark(1.5, 1)], prompt_tokens=1)
    assert found.decode == pytest.approx(10)
    assert found.gap_p99 == pytest.approx(0.1)


def test_the_players_own_count_wins() -> None:
    """A server holds back half a character: nine pieces, ten tokens."""
    marks = [Mark(1.0 + 0.1 * n, 1) for n in range(10)]
    assert heard(0.0, marks, prompt_tokens=1, answer_tokens=11).decode == pytest.approx(10 / 0.9)


def test_several_at_once_are_what_all_wrote_until_the_last_was_ready() -> None:
    quick = heard(0.0, [Mark(0.5 + 0.1 * n, 1) for n in range(11)], prompt_tokens=40)
    late = heard(0.0, [Mark(1.0 + 0.15 * n, 1) for n in range(11)], prompt_tokens=40)
    found = together([quick, late])
    assert (found.prompt_tokens, found.answer_tokens) == (80, 22)
    assert found.first_token == pytest.approx(1.0)  # who waits longest
    assert found.prompt == pytest.approx(80)
    assert found.total == pytest.approx(2.5)
    assert found.decode == pytest.approx(21 / 2)  # from the first word of anybody to the last
    assert found.gap_p95 == pytest.approx(0.15)
    assert together([quick]) == quick


def test_nothing_came() -> None:
    found = heard(0.0, [], prompt_tokens=3)
    assert (found.first_token, found.decode, found.answer_tokens) == (None, None, 0)
    assert found.total is None and found.notes == ("it gave an empty answer",)


def test_who_does_not_count_its_prompt_has_no_rate_for_it() -> None:
    assert heard(0.0, [Mark(0.1, 1)], prompt_tokens=0).prompt is None


moments = st.lists(
    st.tuples(st.floats(0.0001, 2), st.integers(0, 40)), min_size=1, max_size=60
).map(lambda steps: [Mark(sum(s for s, _ in steps[: n + 1]), t) for n, (_, t) in enumerate(steps)])


@given(moments, st.integers(0, 1000), st.integers(0, 1000))
def test_figures_are_never_negative_and_gaps_are_in_order(
    marks: list[Mark], prompt: int, answer: int
) -> None:
    found = heard(0.0, marks, prompt_tokens=prompt, answer_tokens=answer)
    for value in (found.first_token, found.decode, found.prompt, found.gap_p50, found.total):
        assert value is None or value >= 0
    if found.gap_p50 is not None and found.gap_p95 is not None and found.gap_p99 is not None:
        assert found.gap_p50 <= found.gap_p95 <= found.gap_p99


@given(st.lists(st.floats(0, 1), min_size=1).map(sorted), st.floats(0.01, 1))
def test_a_percentile_is_a_value_and_enough_are_not_above_it(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
