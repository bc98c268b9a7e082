"""The limit, and the share of it that a measured rate is."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.bench.limit.roof import NEAR, bandwidth, bound, share
from smolpc.schema.limit import Peaks, Work

GB = 1e9
PEAKS = Peaks(memory=20 * GB, single=100 * GB, half=100 * GB, integer=400 * GB)
SPEEDS = st.floats(1e6, 1e15)
AMOUNTS = st.floats(1, 1e13)
peaks = st.builds(
    Peaks,
    **dict.fromkeys(("memory", "single", "half", "integer", "near"), SPEEDS),
    cache=st.integers(0, 1 << 30),
)
works = st.builds(
    Work,
    stage=st.sampled_from(["decode", "prefill"]),
    depth=st.integers(0, 1 << 20),
    together=st.integers(1, 4096),
    **dict.fromkeys(("bytes", "integer", "half", "single"), AMOUNTS),
)


def work(**changes: float) -> Work:
    return Work(stage="decode", depth=0, **{"bytes": 1 * GB, **changes})  # type: ignore[arg-type]


def test_one_gigabyte_a_token_at_twenty_a_second_is_twenty_tokens() -> None:
    limit = bound(work(integer=2 * GB), PEAKS)
    assert limit.rate == pytest.approx(20)
    assert limit.limited_by == "memory bandwidth"
    assert limit.memory_seconds == pytest.approx(0.05)
    assert limit.arithmetic_seconds == pytest.approx(0.005)


def test_many_operations_make_arithmetic_the_limit() -> None:
    limit = bound(work(bytes=0.01 * GB, integer=4 * GB, half=1 * GB, single=1 * GB), PEAKS)
    assert limit.rate == pytest.approx(1 / (0.01 + 0.01 + 0.01))
    assert limit.limited_by == "arithmetic"


def test_a_cache_that_holds_the_model_counts_only_for_it() -> None:
    near = Peaks(memory=20 * GB, near=60 * GB, cache=10**9, single=1e11, half=1e11, integer=4e11)
    assert bandwidth(work(), near) == 60 * GB
    assert bandwidth(work(bytes=1.1 * GB), near) == 20 * GB
    together = Work(stage="prefill", depth=0, together=512, bytes=0.01 * GB)
    assert bandwidth(together, near) == 20 * GB


def test_what_holds_a_rate_back() -> None:
    assert share(18, work(integer=2 * GB), PEAKS).held_back_by == "memory bandwidth"
    assert share(2, work(integer=2 * GB), PEAKS).held_back_by == "something else"
    heavy = work(integer=40 * GB)
    assert share(9, heavy, PEAKS).held_back_by == "arithmetic"
    assert share(9, heavy, PEAKS).of_limit == pytest.approx(0.9)


@pytest.mark.parametrize("rate", [-1.0, float("nan"), float("inf")])
def test_what_is_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="no rate"):
        share(rate, work(), PEAKS)


def test_work_without_cost_is_refused() -> None:
    with pytest.raises(ValueError, match="no limit"):
        bound(Work(stage="decode", depth=0, bytes=0), PEAKS)


@given(works, peaks)
def test_the_limit_keeps_memory_and_cores_within_their_peaks(one: Work, here: Peaks) -> None:
    limit = bound(one, here)
    assert 0 < limit.rate < float("inf")
    slack = 1 + 1e-9
    assert limit.rate * one.bytes <= bandwidth(one, here) * slack
    for kind in ("integer", "half", "single"):
        assert limit.rate * getattr(one, kind) <= getattr(here, kind) * slack
    busiest = max(limit.memory_seconds, limit.arithmetic_seconds)
    assert limit.rate * busiest == pytest.approx(1)


@given(works, peaks, st.sampled_from(["memory", "single", "half", "integer"]), st.floats(1, 100))
def test_a_faster_part_never_lowers_the_limit(
    one: Work, here: Peaks, part: str, factor: float
) -> None:
    faster = msgspec.structs.replace(here, **{part: getattr(here, part) * factor})
    assert bound(one, faster).rate >= bound(one, here).rate * (1 - 1e-12)


@given(works, peaks, st.sampled_from(["bytes", "single", "half", "integer"]), st.floats(1, 100))
def test_more_work_never_raises_the_limit(one: Work, here: Peaks, part: str, factor: float) -> None:
    more = msgspec.structs.replace(one, **{part: getattr(one, part) * factor})
    assert bound(more, here).rate <= bound(one, here).rate * (1 + 1e-12)


@given(works, peaks, st.floats(0, 1), st.floats(0, 1))
def test_a_share_is_within_bounds_and_grows_with_the_rate(
    one: Work, here: Peaks, low: float, high: float
) -> None:
    low, high = sorted((low, high))
    top = bound(one, here).rate
    slower, faster = share(low * top, one, here), share(high * top, one, here)
    for found in (slower, faster):
        assert 0 <= found.of_limit <= 1 + 1e-9
        assert min(found.of_memory, found.of_arithmetic) >= 0
        assert max(found.of_memory, found.of_arithmetic) == pytest.approx(found.of_limit)
        assert (found.held_back_by == "something else") == (found.of_limit < NEAR)
    assert slower.of_limit <= faster.of_limit
    assert slower.of_memory <= faster.of_memory
    assert slower.of_arithmetic <= faster.of_arithmetic
