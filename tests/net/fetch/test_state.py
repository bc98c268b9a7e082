"""The state file: what it says is true, and damage never goes further than 'start again'."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smolpc.net.fetch import state
from smolpc.net.fetch.mirror import Mirror, Validators
from smolpc.net.fetch.spans import Spans

SIZE = 1000
BOOT = state.boot_id()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    made = tmp_path / "model ü.gguf"
    made.with_name(f"{made.name}.part").write_bytes(bytes(SIZE))
    return made


def journal(target: Path) -> state.Journal:
    """A state with 100 bytes on the disk and 50 in the page cache, from two mirrors."""
    made = state.Journal(target, "ab" * 32)
    mirrors = [
        (Mirror("https://user:geheim@a.example/m?sig=secret", 0), Validators('"1"', "")),
        (Mirror("https://b.example/m", 1), Validators()),
    ]
    made.prepare(SIZE, mirrors, {0: Spans([(0, 100)])})
    made.swap({1: Spans([(500, 550)])})
    return made


def spans(saved: state.Saved | None) -> list[list[tuple[int, int]]]:
    assert saved is not None
    return [list(found) for _, found in saved.mirrors]


def test_what_was_written_is_read(target: Path):
    made = journal(target)
    made.log(0, 100, 200)
    saved = state.load(target)
    assert spans(saved) == [[(0, 200)], [(500, 550)]]
    assert saved is not None
    assert (saved.sha256, saved.size, saved.done) == ("ab" * 32, SIZE, 250)
    assert saved.mirrors[0][0].etag == '"1"'


def test_no_credentials_and_no_signature_are_in_it(target: Path):
    journal(target)
    text = state.path_of(target).read_text()
    assert "https://a.example/m" in text
    assert not any(secret in text for secret in ("geheim", "user", "secret", "sig"))


def test_after_a_reboot_only_flushed_bytes_are_believed(target: Path):
    journal(target).log(0, 100, 200)
    assert spans(state.load(target, boot="another boot")) == [[(0, 100)], []]


def test_boot_times_may_be_adjusted_a_little():
    assert state._same_boot("1700000000", "1700000004")
    assert not state._same_boot("1700000000", "1700000060")
    assert not state._same_boot("a", "b")


def test_a_torn_last_line_is_ignored(target: Path):
    journal(target).log(0, 100, 200)
    path = state.path_of(target)
    whole = path.read_bytes()
    for cut in range(1, 20):
        path.write_bytes(whole[:-cut])
        assert spans(state.load(target)) == [[(0, 100)], [(500, 550)]]


def test_a_state_without_its_part_is_nothing(target: Path):
    journal(target)
    target.with_name(f"{target.name}.part").unlink()
    assert state.load(target) is None


def test_bytes_beyond_the_part_are_not_believed(target: Path):
    journal(target)
    target.with_name(f"{target.name}.part").write_bytes(bytes(520))
    assert state.load(target) is None


def line(payload: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(payload), payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'{"format":2,"boot":"","sha256":"","size":1,"mirrors":[]}',
        b'{"format":1,"boot":"","sha256":"","size":-1,"mirrors":[]}',
        b'{"format":1,"boot":"","sha256":"","size":1e99,"mirrors":[]}',
        b'{"format":1,"boot":"","sha256":"","size":99999999999999999999,"mirrors":[]}',
        b'{"format":1,"boot":"","sha256":"","size":10,"mirrors":[{"place":"x","spans":[[0,11]]}]}',
        b'{"format":1,"boot":"","sha256":"","size":10,"mirrors":[{"place":"x","spans":[[-5,3]]}]}',
        b'{"format":1,"boot":"","sha256":"","size":10,"mirrors":[{"place":"x","spans":[[1]]}]}',
        b'{"format":1,"boot":"","sha256":"","size":10,"mirrors":[],"extra":1}',
        b"[" * 100_000,
    ],
)
def test_a_first_line_that_lies_means_start_again(target: Path, payload: bytes):
    state.path_of(target).write_bytes(line(payload))
    assert state.load(target) is None


@pytest.mark.parametrize("payload", [b"[5,0,1]", b"[-1,0,1]", b"[0,0,2000]", b"[0,-9,9]", b"{}"])
def test_a_later_line_that_lies_means_start_again(target: Path, payload: bytes):
    journal(target)
    path = state.path_of(target)
    path.write_bytes(path.read_bytes() + line(payload))
    assert state.load(target) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_are_survived(target: Path, data: bytes):
    state.path_of(target).write_bytes(data)
    assert state.load(target) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_byte_never_adds_to_what_is_claimed(target: Path, data: st.DataObject):
    journal(target).log(0, 100, 200)
    path = state.path_of(target)
    good = path.read_bytes()
    true = state.load(target)
    assert true is not None
    at = data.draw(st.integers(0, len(good) - 1))
    value = data.draw(st.integers(0, 255))
    path.write_bytes(good[:at] + bytes([value]) + good[at + 1 :])
    saved = state.load(target)
    if saved is not None:
        for (_, found), (_, real) in zip(saved.mirrors, true.mirrors, strict=True):
            assert not found.minus(real)
