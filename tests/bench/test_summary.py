"""Promises: no difference is claimed where there is none, and a real one is found."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolpc.bench import summary
from smolpc.bench.summary import METRICS, comparisons, summaries, verdict
from smolpc.schema.bench import Answer, Comparison, Estimate
from tests.bench import noise

BOTH = ["base", "other"]


def compared(answers: list[Answer], scenarios: int) -> list[Comparison]:
    return list(comparisons(answers, noise.names(scenarios), BOTH))


KINDS: tuple[noise.Kind, ...] = ("normal", "lognormal", "heavy")


@pytest.mark.parametrize("scenarios", [2, 5])
def test_equal_players_are_at_parity_everywhere_in_19_of_20_runs(scenarios: int) -> None:
    calm = 0
    for kind in KINDS:
        for seed in range(80):
            run = compared(noise.run(kind, seed, scenarios=scenarios), scenarios)
            assert len(run) == 3 * scenarios
            calm += {one.verdict for one in run} == {"parity"}
    assert calm >= 228  # of 240


@pytest.mark.parametrize("scenarios", [2, 5])
def test_a_slowdown_of_5_percent_is_found_in_18_of_20_runs_of_10_blocks(scenarios: int) -> None:
    found = 0
    for seed in range(60):
        run = compared(noise.run("heavy", seed, scenarios=scenarios, slowdown=1.05), scenarios)
        assert "better" not in {one.verdict for one in run}
        found += any(one.verdict == "worse" for one in run if one.metric == "decode")
    assert found >= 54


def test_a_verdict_is_better_where_higher_is_better_and_lower_is_better() -> None:
    faster = compared(noise.run("normal", 1, scenarios=1, slowdown=0.8, blocks=15), 1)
    assert {one.metric: one.verdict for one in faster} == {
        "first_token": "better",
        "decode": "better",
        "total": "better",
    }
    decode = next(one for one in faster if one.metric == "decode")
    assert decode.ratio.median == pytest.approx(1.25, rel=0.03)
    assert decode.ratio.count == 15


def test_five_pairs_are_too_few() -> None:
    run = compared(noise.run("normal", 1, blocks=5, slowdown=2.0), 5)
    assert {one.verdict for one in run} == {"unknown"}
    assert all(one.ratio.low is None and one.ratio.count == 5 for one in run)


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (Estimate(median=1.2, low=1.1, high=1.3, count=9), "worse"),
        (Estimate(median=0.8, low=0.7, high=0.9, count=9), "better"),
        (Estimate(median=1.002, low=1.001, high=1.003, count=9), "parity"),
        (Estimate(median=1.0, low=0.98, high=1.02, count=9), "parity"),
        (Estimate(median=1.0, low=0.5, high=2.0, count=9), "unknown"),
        (Estimate(median=2.0, count=3), "unknown"),
    ],
)
def test_a_verdict_says_what_its_interval_shows(ratio: Estimate, said: str) -> None:
    assert verdict("total", ratio) == said


def test_memory_that_differs_by_some_percent_is_parity() -> None:
    assert verdict("memory", Estimate(median=1.03, low=1.03, high=1.03, count=9)) == "parity"
    assert verdict("memory", Estimate(median=1.3, low=1.29, high=1.31, count=9)) == "worse"


def changed(answers: list[Answer], variant: str, **fields: Any) -> list[Answer]:
    return [
        msgspec.structs.replace(one, **fields) if one.variant == variant else one for one in answers
    ]


def test_answers_with_flags_do_not_count() -> None:
    answers = noise.run("normal", 3, scenarios=1)
    disturbed = [
        msgspec.structs.replace(one, total=one.total * 9, flags=("load",)) if one.block < 3 else one
        for one in answers
    ]
    total = next(one for one in compared(disturbed, 1) if one.metric == "total")
    assert total.ratio.count == 7
    assert {one.value.count for one in summaries(disturbed, ["s0"], BOTH)} == {7}


def test_answers_of_other_lengths_are_not_compared_as_a_whole() -> None:
    answers = changed(noise.run("normal", 3, scenarios=1), "other", answer_tokens=20)
    assert {one.metric for one in compared(answers, 1)} == {"first_token", "decode"}


def test_what_is_measured_once_a_run_is_not_compared() -> None:
    answers = noise.run("normal", 3, scenarios=1)
    answers = changed(changed(answers, "base", load=1.0), "other", load=2.0)
    assert "load" not in {one.metric for one in compared(answers, 1)}
    load = [one.value for one in summaries(answers, ["s0"], BOTH) if one.metric == "load"]
    assert load == [Estimate(median=1.0, count=1), Estimate(median=2.0, count=1)]


def test_a_value_of_zero_has_no_ratio() -> None:
    answers = changed(noise.run("normal", 3, scenarios=1), "other", gap_p50=0.0)
    answers = changed(answers, "base", gap_p50=0.1)
    assert "gap_p50" not in {one.metric for one in compared(answers, 1)}


def test_other_metrics_do_not_make_the_primary_ones_vaguer() -> None:
    answers = noise.run("normal", 3, scenarios=1)
    alone = compared(answers, 1)
    more = compared(
        [msgspec.structs.replace(one, energy=one.total, cpu=one.total) for one in answers], 1
    )
    assert [one for one in more if one.metric in summary.PRIMARY] == alone


def test_nothing_measured_gives_nothing() -> None:
    assert comparisons([], ["s0"], BOTH) == () and summaries([], ["s0"], BOTH) == ()
    assert comparisons([], [], []) == ()


number = st.none() | st.floats(0, 1e12)


@given(
    st.lists(
        st.builds(
            Answer,
            scenario=st.sampled_from(["s0", "s1"]),
            variant=st.sampled_from(BOTH),
            block=st.integers(0, 9),
            place=st.just(0),
            at=st.just(0.0),
            prompt_tokens=st.integers(0, 9),
            answer_tokens=st.integers(0, 9),
            first_token=number,
            decode=number,
            gap_p95=number,
            total=st.floats(0, 1e12),
            memory=st.none() | st.integers(0, 1 << 60),
            load=number,
            flags=st.sampled_from([(), (), ("load",)]),
        ),
        max_size=60,
    )
)
@settings(max_examples=60)
def test_whatever_was_measured_the_results_are_numbers_in_order(answers: list[Answer]) -> None:
    found = comparisons(answers, ["s0", "s1"], BOTH)
    estimates = [one.ratio for one in found]
    estimates += [one.value for one in summaries(answers, ["s0", "s1"], BOTH)]
    for one in estimates:
        assert one.count >= 1 and (one.low is None) == (one.high is None)
        if one.low is not None and one.high is not None:
            assert one.low <= one.median * (1 + 1e-9) and one.median <= one.high * (1 + 1e-9)
    assert msgspec.json.decode(msgspec.json.encode(found), type=tuple[Comparison, ...]) == found
    assert {one.metric for one in found} <= set(METRICS)
