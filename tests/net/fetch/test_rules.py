"""The pure rules: bandwidth, quiet hours, starving streams, mirrors."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.errors import NetworkError, TrustError, UsageError
from smolpc.net import NetSettings, QuietHours
from smolpc.net.faults import Passing
from smolpc.net.fetch.bucket import BURST, TokenBucket
from smolpc.net.fetch.mirror import Mirror, Validators, choose, failure
from smolpc.net.fetch.watch import Watch

SETTINGS = NetSettings(attempts=3, backoff=0.5, longest_wait=60)
DAY = datetime(2026, 3, 2)


@given(
    st.integers(1_000, 10_000_000),
    st.lists(st.integers(1, 300_000), min_size=1, max_size=60),
    st.floats(0, 0.5),
)
def test_the_limit_holds_over_any_time(rate: int, takes: list[int], idle: float):
    now = 0.0
    bucket = TokenBucket(rate, now)
    passed = 0
    for count in takes:
        passed += count
        assert passed - count <= rate * (now + BURST) + 1
        now += bucket.take(count, now)
    assert now >= (passed - rate * BURST) / rate - 1e-6  # never faster than the limit
    assert now <= passed / rate + 1e-6  # and no slower than needed
    now += idle
    assert bucket.take(1, now) <= 1 / rate + max(takes) / rate


def test_no_limit_never_waits():
    bucket = TokenBucket(0, 0.0)
    assert bucket.take(1 << 40, 0.0) == 0
    assert bucket.piece(1000) == 1000
    assert TokenBucket(100_000, 0.0).piece(1 << 20) == 5000


@pytest.mark.parametrize(
    ("text", "now", "until"),
    [
        ("08:00-15:30", "07:59", None),
        ("08:00-15:30", "08:00", "15:30"),
        ("08:00-15:30", "15:30", None),
        ("22:00-6:00", "23:10", "06:00"),
        ("22:00-6:00", "05:59", "06:00"),
        ("22:00-6:00", "12:00", None),
        ("08:00-12:00, 12:00-13:00", "09:00", "13:00"),
        ("20:00-24:00", "23:59", "00:00"),
        ("", "12:00", None),
    ],
)
def test_quiet_hours(text: str, now: str, until: str | None):
    hour, minute = now.split(":")
    moment = DAY.replace(hour=int(hour), minute=int(minute), second=30)
    end = QuietHours.parse(text).until(moment)
    assert (end.strftime("%H:%M") if end else None) == until
    assert end is None or moment < end <= moment + timedelta(days=1)


@pytest.mark.parametrize(
    "text",
    [
        "8-15",
        "08:00",
        "25:00-26:00",
        "08:60-09:00",
        "x",
        "09:00-09:00",
        "00:00-24:00",
        "00:00-12:00,12:00-24:00",
        "24:30-25:00",
    ],
)
def test_quiet_hours_that_make_no_sense(text: str):
    with pytest.raises(UsageError) as caught:
        QuietHours.parse(text)
    assert caught.value.why
    assert caught.value.next_step


@given(st.text(max_size=20))
def test_any_text_is_hours_or_a_usage_error(text: str):
    try:
        hours = QuietHours.parse(text)
    except UsageError:
        return
    assert all(0 <= start < 1440 and 0 <= end < 1440 for start, end in hours.spans)


def test_a_stream_starves_only_after_the_whole_span():
    watch = Watch(30.0, 0.0)
    for second in range(30):
        watch.note(second * 10, float(second))
        assert not watch.starves(second, 0.0, 0)
    assert watch.starves(30.0, 0.0, 0)


def test_a_stream_starves_beside_much_faster_ones():
    watch = Watch(10.0, 0.0)
    for second in range(12):
        watch.note(second * 50_000, float(second))
    assert not watch.starves(11.0, 100_000, 0)
    assert watch.starves(11.0, 2_000_000, 0)
    assert not watch.starves(11.0, 2_000_000, 60_000)  # our own limit is the reason


def test_a_stream_that_recovers_does_not_starve():
    watch = Watch(10.0, 0.0)
    for second in range(40):
        watch.note(max(0, second - 20) * 50_000, float(second))
    assert not watch.starves(40.0, 0.0, 0)


def passing(wait: float | None = None) -> Passing:
    return Passing(NetworkError("busy", next_step="again"), wait)


def fail(mirror: Mirror, now: float, done: int = 0, wait: float | None = None) -> None:
    mirror.failed(passing(wait), SETTINGS, started=now, now=now, done=done)


def test_failures_in_a_row_end_a_mirror_and_progress_forgives():
    mirror = Mirror("http://a.example/x", 0)
    for moment in range(1, 20):
        fail(mirror, moment, done=moment * 10)
    assert mirror.error is None
    fail(mirror, 30.0, done=190)
    fail(mirror, 31.0, done=190)
    assert isinstance(mirror.error, NetworkError)


def test_streams_that_break_together_count_once():
    mirror = Mirror("http://a.example/x", 0)
    for _ in range(8):
        mirror.failed(passing(), SETTINGS, started=1.0, now=5.0, done=0)
    assert (mirror.failures, mirror.error) == (1, None)


def test_backoff_doubles_and_retry_after_is_obeyed():
    mirror = Mirror("http://a.example/x", 0)
    fail(mirror, 10.0)
    assert mirror.ready_at == 10.5
    fail(mirror, 20.0)
    assert mirror.ready_at == 21.0
    other = Mirror("http://a.example/x", 0)
    fail(other, 10.0, wait=7)
    assert other.ready_at == 17.0
    fail(other, 20.0, wait=86400)
    assert other.error is not None


def test_the_first_ready_mirror_is_chosen():
    one, two, three = (
        Mirror(f"http://{name}.example/x", index) for index, name in enumerate("abc")
    )
    mirrors = [one, two, three]
    assert choose(mirrors, frozenset(), 0.0) == (one, None)
    assert choose(mirrors, frozenset({0}), 0.0) == (two, None)
    one.ready_at = 5.0
    assert choose(mirrors, frozenset(), 0.0) == (two, None)
    two.ranges = False
    assert choose(mirrors, frozenset(), 0.0) == (three, None)
    three.error = NetworkError("gone")
    assert choose(mirrors, frozenset(), 0.0) == (None, 5.0)
    assert choose([two], frozenset({1}), 0.0) == (two, None)  # nobody else is left
    assert choose([three], frozenset(), 0.0) == (None, None)


def test_the_worst_reason_counts_when_no_mirror_is_left():
    one, two = (Mirror(f"http://{name}.example/x", index) for index, name in enumerate("ab"))
    one.error, two.error = TrustError("another file", next_step="look"), NetworkError("gone")
    error = failure([one, two], "model.gguf")
    assert isinstance(error, TrustError)
    assert "another file" in error.why
    assert "gone" in error.why
    assert error.next_step == "look"
    assert failure([two], "model.gguf") is two.error


@pytest.mark.parametrize(
    ("etag", "modified", "if_range"),
    [
        ('"a"', "Mon, 02 Mar 2026 08:00:00 GMT", '"a"'),
        ('W/"a"', "Mon, 02 Mar 2026 08:00:00 GMT", "Mon, 02 Mar 2026 08:00:00 GMT"),
        ('W/"a"', "", ""),
        ("", "", ""),
    ],
)
def test_a_weak_etag_is_never_used_for_ranges(etag: str, modified: str, if_range: str):
    assert Validators(etag, modified).strong == if_range


def test_another_etag_is_another_version_but_not_for_ever():
    mirror = Mirror("http://a.example/x", 0)
    assert not mirror.told({"ETag": '"1"'})
    assert not mirror.told({})
    assert mirror.told({"ETag": '"2"'})
    assert not mirror.told({"ETag": '"2"'})
    assert mirror.told({"ETag": '"1"'})
    assert mirror.fickle  # several servers behind one name: the digest decides alone
    assert not mirror.told({"ETag": '"2"'})
    assert mirror.if_range == ""
