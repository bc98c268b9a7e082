"""Limits, quiet hours, space, waiting, proxies: good manners of a download."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from smolpc import files
from smolpc.console import Silent
from smolpc.errors import Interrupted, SpaceError
from smolpc.net import NetSettings, QuietHours
from smolpc.net.fetch import crew, state
from tests.net.fetch.common import (
    DATA,
    FOUR,
    OTHER,
    SHA,
    SIZE,
    SMALL,
    Bring,
    Recorder,
    slow,
    stop_early,
)
from tests.sim.proxy import SimProxy
from tests.sim.server import (
    Redirect,
    Reset,
    SimServer,
    Status,
    Truncate,
)

pytest_plugins = ["tests.sim.fixtures"]


def test_an_empty_file(sim_server: SimServer, bring: Bring, target: Path):
    sim_server.add("/m", b"")
    empty = hashlib.sha256(b"").hexdigest()
    for size in (0, None):
        target.unlink(missing_ok=True)
        assert bring(sim_server.url("/m"), sha256=empty, size=size).size == 0
        assert target.read_bytes() == b""


def test_a_server_that_allows_few_connections(
    sim_server: SimServer, bring: Bring, quick: NetSettings, target: Path
):
    slow(sim_server, most_connections=2, keep_alive=True)
    settings = replace(quick, backoff=0.02)  # as anywhere: time for the server to notice an end
    bring(sim_server.url("/m"), options=replace(SMALL, streams=6), settings=settings)
    assert target.read_bytes() == DATA
    refused = [request.status for request in sim_server.log].count(503)
    assert 0 < refused < 10  # and not again and again


def test_an_expired_signature_is_signed_again(sim_server: SimServer, bring: Bring, target: Path):
    sim_server.add("/m", b"").fail(Redirect("/signed"), times=9)
    signed = sim_server.add("/signed", DATA).fail(Truncate(SIZE), Truncate(SIZE), Status(403))
    bring(sim_server.url("/m"), options=replace(SMALL, streams=2))
    assert target.read_bytes() == DATA
    assert not signed.faults
    paths = [request.path for request in sim_server.log]
    assert 2 <= paths.count("/m") < paths.count("/signed")  # kept while it works


def test_a_host_that_asks_to_wait_is_not_asked_under_another_path(
    sim_server: SimServer, bring: Bring, target: Path
):
    sim_server.add("/a", DATA).fail(Status(429, "1"))
    sim_server.add("/b", DATA)
    bring(sim_server.url("/a"), sim_server.url("/b"))
    assert [request.path for request in sim_server.log] == ["/a", "/a"]


def test_the_limit_is_for_all_streams_together(
    sim_server: SimServer, bring: Bring, monkeypatch: pytest.MonkeyPatch
):
    waited: list[float] = []
    taken: list[int] = []
    real = crew.TokenBucket.take

    def take(self: crew.TokenBucket, count: int, now: float) -> float:
        taken.append(count)
        delay = real(self, count, now)
        waited.append(delay)
        return min(delay, 0.001)

    monkeypatch.setattr(crew.TokenBucket, "take", take)
    sim_server.add("/m", DATA, keep_alive=True)
    bring(sim_server.url("/m"), options=replace(FOUR, limit=100_000))
    assert sum(taken) == SIZE
    assert max(taken) <= 5000
    assert max(waited) > 5  # seconds of debt that real waits would have paid


def test_quiet_hours_are_waited_for(
    sim_server: SimServer, bring: Bring, target: Path, monkeypatch: pytest.MonkeyPatch
):
    clock = [datetime(2026, 3, 2, 9, 0)] * 5
    seen: list[int] = []

    def now() -> datetime:
        seen.append(len(sim_server.log))
        return clock.pop() if clock else datetime(2026, 3, 2, 15, 31)

    monkeypatch.setattr(crew, "wall_clock", now)
    sim_server.add("/m", DATA)
    recorder = Recorder()
    options = replace(SMALL, quiet_hours=QuietHours.parse("08:00-15:30"))
    bring(sim_server.url("/m"), reporter=recorder, options=options)
    assert seen[:6] == [0] * 6
    assert recorder.notes == ["quiet hours: download goes on at 15:30"]


def test_quiet_hours_can_be_interrupted(
    sim_server: SimServer, bring: Bring, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(crew, "wall_clock", lambda: datetime(2026, 3, 2, 9, 0))

    class Stopped(Silent):
        def check(self) -> None:
            raise Interrupted("interrupted")

    sim_server.add("/m", DATA)
    options = replace(SMALL, quiet_hours=QuietHours.parse("08:00-15:30"))
    with pytest.raises(Interrupted):
        bring(sim_server.url("/m"), reporter=Stopped(), options=options)


def test_space_for_what_is_missing_only(
    sim_server: SimServer, bring: Bring, target: Path, monkeypatch: pytest.MonkeyPatch
):
    resource = slow(sim_server)
    stop_early(bring, sim_server.url("/m"))
    saved = state.load(target)
    assert saved is not None
    there = files.allocated(target.with_name("file.bin.part"))
    assert there >= saved.done
    resource.rate = 0
    requests = len(sim_server.log)
    monkeypatch.setattr(files, "free_bytes", lambda path: SIZE - there - 1)
    with pytest.raises(SpaceError, match="1 B are missing"):
        bring(sim_server.url("/m"))
    assert len(sim_server.log) == requests
    monkeypatch.setattr(files, "free_bytes", lambda path: SIZE - there)
    bring(sim_server.url("/m"))


def test_there_is_never_a_second_copy(
    sim_server: SimServer, bring: Bring, target: Path, monkeypatch: pytest.MonkeyPatch
):
    most = 0
    real = files.replace

    def watched(source: Path, to: Path, tries: int = 20) -> None:
        nonlocal most
        most = max(most, sum(path.stat().st_size for path in target.parent.iterdir()))
        real(source, to, tries)

    monkeypatch.setattr(files, "replace", watched)
    sim_server.add("/m", DATA)
    bring(sim_server.url("/m"), options=FOUR)
    assert SIZE <= most < SIZE + 10_000


def test_those_who_wait_see_the_progress(sim_server: SimServer, bring: Bring, target: Path):
    resource = slow(sim_server)
    first = threading.Thread(target=bring, args=(sim_server.url("/m"),))
    first.start()
    while not resource.serving:
        pass
    recorder = Recorder()
    fetched = bring(sim_server.url("/m"), reporter=recorder)
    first.join()
    assert (fetched.sha256, fetched.received) == (SHA, 0)
    assert "another smolpc process downloads file.bin: waiting" in recorder.notes
    assert any(0 < shown < SIZE for shown in recorder.shown)
    assert recorder.shown[-1] == SIZE
    assert len(sim_server.log) == 1


def test_a_folder_first_then_the_web(
    sim_server: SimServer, bring: Bring, target: Path, tmp_path: Path
):
    usb = tmp_path / "USB Stick"
    sim_server.add("/m", DATA)
    bring(str(usb), sim_server.url("/m"))
    assert len(sim_server.log) == 1
    target.unlink()
    usb.write_bytes(OTHER)
    bring(usb.as_uri(), sim_server.url("/m"))
    assert len(sim_server.log) == 2
    target.unlink()
    usb.write_bytes(DATA)
    assert bring(str(usb), sim_server.url("/m")).hosts == (str(usb),)
    assert len(sim_server.log) == 2
    target.unlink()
    assert bring(str(usb), sha256=None, size=None).sha256 == SHA


def test_parallel_streams_through_a_proxy_with_a_private_ca(
    sim_tls_server: SimServer, bring: Bring, quick: NetSettings, target: Path
):
    sim_tls_server.add("/m", DATA, keep_alive=True, rate=2_000_000).fail(Reset(50_000))
    with SimProxy(sim_tls_server.address, user="kind:geheim") as proxy:
        chosen = replace(quick, proxy=proxy.url("kind:geheim"), ca_bundle=sim_tls_server.ca_file)
        bring("https://mirror.example/m", settings=chosen, options=FOUR)
    assert target.read_bytes() == DATA


def test_connections_are_kept(sim_server: SimServer, bring: Bring):
    sim_server.add("/m", DATA, keep_alive=True)
    bring(sim_server.url("/m"), options=replace(FOUR, streams=2))
    assert len(sim_server.log) > 3
    assert sim_server.connections <= 3  # two streams, and the first one's cut request
