"""How many streams: simulated servers, no clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.net.fetch.adaptive import Controller

MB = 1_000_000
Rate = Callable[[int, float], float]  # (streams, seconds) -> total bytes per second


def play(
    rate: Rate, *, size: int = 4000 * MB, seconds: float = 60.0, fixed: int = 0, tick: float = 0.05
) -> list[int]:
    """The streams at every tick against a server."""
    controller = Controller(8, fixed)
    used, received, now = [], 0.0, 0.0
    while received < size and now < seconds:
        left = size - int(received)
        used.append(controller.sample(now, int(received), left, 1 << 20))
        received += rate(used[-1], now) * tick
        now += tick
    return used


def per_connection(limit: float, total: float = 1e12) -> Rate:
    return lambda streams, _: min(streams * limit, total)


def test_it_starts_with_one_and_reaches_eight_where_connections_are_limited():
    used = play(per_connection(20 * MB))
    assert used[0] == 1
    assert used[-1] == 8
    assert used.index(8) * 0.05 <= 1.0  # seconds; later would cost more than a tenth of 1 GiB


def test_one_stream_stays_one_where_the_line_is_the_limit():
    used = play(lambda streams, _: 5 * MB)
    assert max(used) == 2  # it tried once in a while
    assert used.count(1) > 0.85 * len(used)
    assert used[-1] == 1


def test_no_more_streams_than_bring_something():
    used = play(per_connection(20 * MB, 60 * MB))
    assert used[-1] == 3


def test_more_streams_that_are_slower_are_given_up():
    used = play(lambda streams, _: 10 * MB / streams)
    assert used[-1] == 1


def test_a_trial_that_makes_it_slower_ends_at_once():
    used = play(lambda streams, _: 10 * MB / streams, seconds=2.0)
    assert used.count(2) * 0.05 < 0.6  # seconds


def test_a_slow_start_is_waited_for():
    def slow(streams: int, now: float) -> float:
        return min(20 * MB, 100_000 * 2 ** (now / 0.1))  # doubles every round trip, to the line

    assert max(play(slow, seconds=1.0)) == 1


@pytest.mark.parametrize("size", [100_000, 1 * MB, 3 * MB])
def test_small_files_get_one_stream(size: int):
    assert set(play(per_connection(100_000), size=size)) == {1}


def test_a_file_that_is_nearly_done_gets_no_more_streams():
    assert set(play(per_connection(1000 * MB), size=900 * MB)) == {1}


def test_a_fixed_number_is_obeyed():
    assert set(play(per_connection(5 * MB), fixed=4)) == {4}
    assert set(play(per_connection(5 * MB), fixed=99)) == {8}


def test_a_server_that_refuses_is_not_pressed():
    controller = Controller(8)
    controller.wanted = 8
    controller.refused(10.0, 4)
    assert controller.wanted == 4
    received = 0
    for step in range(200):  # ten seconds
        received += 4 * MB
        assert controller.sample(10.0 + step * 0.05, received, 1 << 40, 1 << 20) == 4


@given(
    st.lists(st.floats(0, 100 * MB), min_size=5, max_size=200),
    st.integers(0, 1 << 34),
    st.integers(1, 8 << 20),
)
def test_whatever_the_rates_are_it_stays_within_bounds(
    rates: list[float], left: int, smallest: int
):
    controller = Controller(8)
    now, received = 0.0, 0
    for rate in rates:
        now += 0.05
        received += int(rate * 0.05)
        streams = controller.sample(now, received, left, smallest)
        assert 1 <= streams <= 8
        assert streams == 1 or streams <= max(1, left // smallest)
