"""Downloads against servers that misbehave: the right bytes, or a clear error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smolpc import files
from smolpc.errors import TrustError
from smolpc.net.fetch import keeper, state
from tests.net.fetch.common import (
    CHUNK,
    DATA,
    DIGESTS,
    FAULTS,
    FOUR,
    OTHER,
    SHA,
    SIZE,
    SMALL,
    Bring,
    Recorder,
    asked,
    nothing_left,
    slow,
    stop_early,
)
from tests.sim.server import (
    Corrupt,
    Fault,
    Replace,
    Resource,
    SimServer,
    Status,
    Truncate,
    WebPage,
)

pytest_plugins = ["tests.sim.fixtures"]


def test_what_is_reported(sim_server: SimServer, bring: Bring, target: Path):
    sim_server.add("/m", DATA)
    recorder = Recorder()
    fetched = bring(sim_server.url("/m"), reporter=recorder)
    assert (fetched.sha256, fetched.size, fetched.received) == (SHA, SIZE, SIZE)
    assert fetched.hosts == (f"127.0.0.1:{sim_server.address[1]}",)
    assert fetched.streams <= 1
    assert recorder.shown == sorted(recorder.shown)
    assert nothing_left(target)
    again = bring(sim_server.url("/m"))
    assert (again.sha256, again.received, again.hosts) == (SHA, 0, ())


def test_several_streams_fetch_every_byte_once(sim_server: SimServer, bring: Bring, target: Path):
    resource = slow(sim_server, keep_alive=True)
    fetched = bring(sim_server.url("/m"), options=FOUR)
    assert target.read_bytes() == DATA
    assert resource.most_serving == fetched.streams == 4
    assert fetched.received == SIZE
    assert nothing_left(target)


def test_a_file_of_one_chunk_is_asked_for_plainly(sim_server: SimServer, bring: Bring):
    sim_server.add("/m", DATA)
    bring(sim_server.url("/m"))
    assert asked(sim_server) == [""]  # what a caching proxy can answer


@pytest.mark.parametrize("faults", FAULTS, ids=str)
@pytest.mark.parametrize(("streams", "form"), [(1, "strong"), (4, "weak"), (4, "none")])
def test_faults_inside_range_answers_are_borne(
    sim_server: SimServer, bring: Bring, target: Path, faults: list[Fault], streams: int, form: Any
):
    sim_server.add("/elsewhere", DATA)
    sim_server.add("/m", DATA, etag_form=form, keep_alive=True).fail(*faults)
    bring(sim_server.url("/m"), options=replace(SMALL, streams=streams))
    assert target.read_bytes() == DATA
    assert nothing_left(target)


@pytest.mark.parametrize("streams", [1, 4])
def test_an_interrupted_download_continues_where_it_was(
    sim_server: SimServer, bring: Bring, target: Path, streams: int
):
    resource = slow(sim_server)
    options = replace(SMALL, streams=streams)
    stop_early(bring, sim_server.url("/m"), options=options)
    saved = state.load(target)
    assert saved is not None
    assert saved.done >= SIZE // 3
    resource.rate = 0
    fetched = bring(sim_server.url("/m"), options=options)
    assert target.read_bytes() == DATA
    assert fetched.received == SIZE - saved.done


def test_a_power_cut_takes_only_what_was_not_flushed(
    sim_server: SimServer, bring: Bring, target: Path, monkeypatch: pytest.MonkeyPatch
):
    """What is not flushed is lost: the part file goes back to what it was at the last flush."""
    part, disk = target.with_name("file.bin.part"), target.with_name("disk")
    flushes: list[int] = []

    def flush(handle: int) -> None:
        disk.write_bytes(part.read_bytes())
        flushes.append(handle)

    monkeypatch.setattr(keeper, "SHARE", 0)  # flush often, also on a busy machine
    monkeypatch.setattr(keeper, "flush", flush)
    resource = slow(sim_server)
    stop_early(bring, sim_server.url("/m"), options=FOUR)
    assert len(flushes) >= 2
    disk.replace(part)
    monkeypatch.setattr(state, "boot_id", lambda: "after the power cut")
    saved = state.load(target)
    assert saved is not None
    assert saved.done > 0
    kept = part.read_bytes()
    for _, spans in saved.mirrors:
        for start, end in spans:
            assert kept[start:end] == DATA[start:end]
    resource.rate = 0
    assert bring(sim_server.url("/m"), options=FOUR).received == SIZE - saved.done
    assert target.read_bytes() == DATA


def test_bytes_are_flushed_before_they_are_claimed(
    sim_server: SimServer, bring: Bring, target: Path, monkeypatch: pytest.MonkeyPatch
):
    """At every moment the first line of the state file is true of the last flush."""
    part = target.with_name("file.bin.part")
    disk = [b""]
    claims = 0
    real = files.fsync_folder

    def check(folder: Path) -> None:
        nonlocal claims
        saved = state.load(target, boot="after a power cut")
        for _, spans in saved.mirrors if saved is not None else ():
            for start, end in spans:
                claims += 1
                assert disk[0][start:end] == DATA[start:end]
        real(folder)

    monkeypatch.setattr(keeper, "SHARE", 0)  # flush often, also on a busy machine
    monkeypatch.setattr(keeper, "flush", lambda handle: disk.__setitem__(0, part.read_bytes()))
    monkeypatch.setattr(files, "fsync_folder", check)
    slow(sim_server)
    bring(sim_server.url("/m"), options=FOUR)
    assert claims >= 1


def test_resuming_asks_for_the_same_version(sim_server: SimServer, bring: Bring, target: Path):
    resource = slow(sim_server)
    stop_early(bring, sim_server.url("/m"))
    resource.rate = 0
    bring(sim_server.url("/m"))
    assert sim_server.log[-1].headers["if-range"] == resource.etag


@pytest.mark.parametrize("streams", [1, 4])
@pytest.mark.parametrize("form", ["strong", "weak", "none"])
def test_a_file_that_changed_between_two_runs_is_not_glued(
    sim_server: SimServer, bring: Bring, target: Path, streams: int, form: Any
):
    resource = slow(sim_server, etag_form=form)
    resource.data = OTHER
    options = replace(SMALL, streams=streams)
    stop_early(bring, sim_server.url("/m"), options=options)
    resource.data, resource.rate = DATA, 0
    bring(sim_server.url("/m"), options=options)
    assert target.read_bytes() == DATA


def test_a_file_that_changes_under_the_streams(sim_server: SimServer, bring: Bring, target: Path):
    resource = slow(sim_server)
    resource.data = OTHER
    resource.fail(Truncate(60_000), Truncate(60_000), Replace(DATA))
    bring(sim_server.url("/m"), options=FOUR)
    assert target.read_bytes() == DATA


def test_servers_behind_one_name_with_etags_of_their_own(
    sim_server: SimServer, bring: Bring, target: Path, monkeypatch: pytest.MonkeyPatch
):
    numbers = iter(range(1000))
    monkeypatch.setattr(Resource, "etag", property(lambda self: f'"{next(numbers)}"'))
    sim_server.add("/m", DATA).fail(Truncate(100_000), times=6)
    bring(sim_server.url("/m"))
    assert target.read_bytes() == DATA


def test_another_mirror_takes_over_in_the_middle(
    sim_server: SimServer, second: SimServer, bring: Bring, target: Path
):
    sim_server.add("/m", DATA).fail(Truncate(300_000), Status(404))
    second.add("/m", DATA)
    recorder = Recorder()
    fetched = bring(sim_server.url("/m"), second.url("/m"), reporter=recorder)
    assert target.read_bytes() == DATA
    assert asked(second) == ["bytes=300000-"]
    assert fetched.received == SIZE
    assert len(fetched.hosts) == 2
    assert any("going on with" in note for note in recorder.notes)


def test_mirrors_may_change_their_order_between_runs(
    sim_server: SimServer, second: SimServer, bring: Bring, target: Path
):
    slow(sim_server)
    second.add("/m", DATA, etag_form="none")
    stop_early(bring, sim_server.url("/m?sig=1"), second.url("/m"))
    saved = state.load(target)
    fetched = bring(second.url("/m"), sim_server.url("/m?sig=2"))
    assert saved is not None
    assert fetched.received == SIZE - saved.done
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("bad", [WebPage(), Status(404), Corrupt(1), Replace(DATA[:-1])], ids=str)
def test_a_useless_first_mirror_does_no_harm(
    sim_server: SimServer, second: SimServer, bring: Bring, target: Path, bad: Fault
):
    sim_server.add("/m", DATA).fail(bad, times=9)
    second.add("/m", DATA)
    bring(sim_server.url("/m"), second.url("/m"))
    assert target.read_bytes() == DATA


def test_when_every_mirror_lies_nothing_is_kept(
    sim_server: SimServer, second: SimServer, bring: Bring, target: Path
):
    sim_server.add("/m", OTHER)
    second.add("/m", OTHER)
    with pytest.raises(TrustError, match="not the pinned file"):
        bring(sim_server.url("/m"), second.url("/m"))
    assert not target.exists()
    assert nothing_left(target)


def test_a_login_page_does_not_destroy_what_is_there(
    sim_server: SimServer, bring: Bring, target: Path
):
    resource = slow(sim_server)
    stop_early(bring, sim_server.url("/m"))
    saved = state.load(target)
    resource.rate = 0
    resource.fail(WebPage())
    with pytest.raises(TrustError, match="login page"):
        bring(sim_server.url("/m"))
    fetched = bring(sim_server.url("/m"))
    assert saved is not None
    assert fetched.received == SIZE - saved.done


def test_only_the_wrong_chunk_is_fetched_again(
    sim_server: SimServer, second: SimServer, bring: Bring, target: Path
):
    sim_server.add("/m", DATA).fail(Corrupt(5 * CHUNK + 7))
    second.add("/m", DATA)
    options = replace(SMALL, chunk_digests=DIGESTS)
    fetched = bring(sim_server.url("/m"), second.url("/m"), options=options)
    assert target.read_bytes() == DATA
    assert asked(second) == [f"bytes={5 * CHUNK}-{6 * CHUNK - 1}"]
    assert fetched.received == SIZE + CHUNK


def test_a_wrong_chunk_of_the_only_mirror_gets_one_more_chance(
    sim_server: SimServer, bring: Bring, target: Path
):
    resource = sim_server.add("/m", DATA).fail(Corrupt(7))
    options = replace(SMALL, chunk_digests=DIGESTS)
    assert bring(sim_server.url("/m"), options=options).received == SIZE + CHUNK
    target.unlink()
    resource.fail(Corrupt(7), Corrupt(7))
    with pytest.raises(TrustError, match="not the pinned file"):
        bring(sim_server.url("/m"), options=options)
    assert nothing_left(target)
    assert not target.exists()


def test_who_sends_wrong_chunks_twice_is_not_asked_again(
    sim_server: SimServer, second: SimServer, bring: Bring, target: Path
):
    sim_server.add("/m", OTHER)
    second.add("/m", DATA, ranges=False)
    options = replace(SMALL, chunk_digests=DIGESTS)
    bring(sim_server.url("/m"), second.url("/m"), options=options)
    assert target.read_bytes() == DATA
    assert len(sim_server.log) <= 3
