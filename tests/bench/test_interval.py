"""Promise: an interval holds the true value as often as it says, and is always in order."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.bench.interval import FEWEST, center, median_interval, student
from tests.bench import noise

values = st.lists(
    st.integers(-10_000, 10_000).map(lambda one: one / 1000), min_size=FEWEST, max_size=40
)


@pytest.mark.parametrize(
    ("confidence", "freedom", "quantile"),
    [  # tables of Student's distribution
        (0.95, 1, 12.7062),
        (0.95, 3, 3.18245),
        (0.95, 10, 2.22814),
        (0.99, 7, 3.49948),
        (0.999, 30, 3.64596),
        (0.95, 1000, 1.96234),
    ],
)
def test_quantiles_are_those_of_the_tables(
    confidence: float, freedom: int, quantile: float
) -> None:
    assert student(confidence, freedom) == pytest.approx(quantile, rel=1e-4)


@pytest.mark.parametrize(
    ("count", "low", "high"),  # as scipy.stats.mstats.median_cihs computes them
    [(6, 1.35714, 5.64286), (10, 2.65766, 8.34234), (15, 4.37351, 11.62649)],
)
def test_the_interval_of_a_median_is_interpolated(count: int, low: float, high: float) -> None:
    found = median_interval([float(one) for one in range(count, 0, -1)])
    assert found == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_five_values_do_not_tell_where_the_median_is() -> None:
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0]) == (-math.inf, math.inf)
    assert center([1.0, 2.0, 3.0, 4.0, 5.0]) is None


def share(hit: Callable[[random.Random], bool], times: int) -> float:
    rng = random.Random(7)
    return sum(hit(rng) for _ in range(times)) / times


@pytest.mark.parametrize("kind", ["normal", "lognormal", "heavy"])
@pytest.mark.parametrize("count", [6, 10])
def test_intervals_hold_as_often_as_they_say(kind: noise.Kind, count: int) -> None:
    def ratio(rng: random.Random) -> bool:
        found = center(
            [math.log(noise.factor(kind, rng) / noise.factor(kind, rng)) for _ in range(count)]
        )
        assert found is not None
        low, high = found.interval(0.95)
        return low <= 0 <= high

    def one_median(rng: random.Random) -> bool:
        low, high = median_interval([noise.factor(kind, rng) for _ in range(count)])
        return low <= noise.usual(kind) <= high

    assert share(ratio, 400) >= 0.94
    assert share(one_median, 400) >= 0.93


def test_wild_values_hardly_move_the_center() -> None:
    rng = random.Random(1)
    calm = [rng.gauss(0, 0.02) for _ in range(10)]
    wild = [*calm[:8], 0.5, 0.9]
    one, two = center(calm), center(wild)
    assert one is not None and two is not None
    assert abs(two.at) < 0.02 and two.error < 2 * one.error


@given(values, st.floats(0.5, 0.9999))
def test_intervals_are_in_order_within_sane_bounds(sample: list[float], confidence: float) -> None:
    found = center(sample)
    assert found is not None
    low, high = found.interval(confidence)
    assert low <= found.at <= high
    assert min(sample) - 1e-9 <= found.at <= max(sample) + 1e-9
    low, high = median_interval(sample)
    assert low <= high and min(sample) <= low and high <= max(sample)


@given(values, st.integers(-5, 5))
def test_a_shift_of_the_values_shifts_the_center(sample: list[float], by: int) -> None:
    one, two = center(sample), center([value + by for value in sample])
    assert one is not None and two is not None
    assert two.at - by == pytest.approx(one.at, abs=1e-6)


def test_equal_values_have_no_error() -> None:
    same = center([0.25] * 8)
    assert same is not None and same.interval(0.999) == (0.25, 0.25)
    assert (same - same).interval(0.999) == (0, 0)


@given(st.lists(st.floats(-600, 600), min_size=FEWEST, max_size=20))
def test_odd_values_are_no_trouble(sample: list[float]) -> None:
    found = center(sample)
    assert found is not None and math.isfinite(found.at) and found.error >= 0


def test_some_equal_values_do_not_hide_the_others() -> None:
    found = center([0.0] * 8 + [0.1, 0.1])
    assert found is not None and found.error > 0.01
