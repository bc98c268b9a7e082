"""Downloads against servers that misbehave: the right bytes, or a clear error."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from smolpc import files, net
from smolpc.console import Silent
from smolpc.errors import Interrupted, NetworkError, SpaceError, TrustError, UsageError
from smolpc.net import ChunkDigests, Fetched, NetSettings, Options, QuietHours
from smolpc.net.fetch import crew, keeper, state
from tests.sim.proxy import SimProxy
from tests.sim.server import (
    Corrupt,
    Crawl,
    Fault,
    Headers,
    IgnoreRange,
    Redirect,
    Replace,
    Reset,
    Resource,
    SimServer,
    Stall,
    Status,
    Truncate,
    WebPage,
    WrongRange,
)

pytest_plugins = ["tests.sim.fixtures"]

CHUNK = 1 << 16
DATA = bytes(range(251)) * 4100  # 1 MB, and no two chunks are alike
SIZE = len(DATA)
SHA = hashlib.sha256(DATA).hexdigest()
OTHER = DATA[::-1]
DIGESTS = ChunkDigests(
    CHUNK,
    tuple(
        hashlib.sha256(DATA[start : start + CHUNK]).hexdigest() for start in range(0, SIZE, CHUNK)
    ),
)
SMALL = Options(chunk=CHUNK)
FOUR = Options(chunk=CHUNK, streams=4)

Bring = Callable[..., Fetched]


class Recorder(Silent):
    """Keeps what was shown; `stop_at` bytes ends the work as Ctrl-C in a pool does."""

    def __init__(self, stop_at: float = float("inf")) -> None:
        self.notes: list[str] = []
        self.shown: list[float] = []
        self.stop_at = stop_at

    def note(self, text: str) -> None:
        self.notes.append(text)

    def check(self) -> None:
        if self.shown and self.shown[-1] >= self.stop_at:
            raise Interrupted("interrupted")

    @contextmanager
    def task(self, title: str, *, total: float | None = None, unit: str = "B") -> Any:
        recorder = self

        class Task:
            def update(self, done: float, total: float | None = None) -> None:
                recorder.shown.append(done)

        yield Task()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "Ablage für Schüler" / "file.bin"


@pytest.fixture
def bring(target: Path, quick: NetSettings) -> Bring:
    def run(*urls: str, **changes: Any) -> Fetched:
        given: dict[str, Any] = {
            "sha256": SHA,
            "size": SIZE,
            "reporter": Silent(),
            "title": "download",
            "settings": quick,
            "options": SMALL,
        }
        return net.download(list(urls), target, **(given | changes))

    return run


@pytest.fixture
def second(sim_server: SimServer) -> Any:
    with SimServer() as server:
        yield server


def nothing_left(target: Path) -> bool:
    names = {path.name for path in target.parent.iterdir()}
    return names <= {target.name, f".{target.name}.lock"}


def slow(server: SimServer, **options: Any) -> Resource:
    """About half a second for one connection."""
    return server.add("/m", DATA, rate=2_000_000, **options)


def asked(server: SimServer) -> list[str]:
    return [request.headers.get("range", "") for request in server.log]


def stop_early(bring: Bring, *urls: str, **changes: Any) -> Recorder:
    recorder = Recorder(stop_at=SIZE // 3)
    with pytest.raises(Interrupted) as caught:
        bring(*urls, reporter=recorder, **changes)
    assert "run the same command again" in caught.value.next_step
    assert caught.value.why
    return recorder


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


FAULTS: list[list[Fault]] = [
    [Truncate(1000)] * 3,
    [Truncate(0)],
    [Reset(70_000)] * 3,
    [Stall(70_000)],
    [Crawl(70_000)],
    [Status(503, "0"), Status(429, "0")],
    [WrongRange()] * 2,
    [IgnoreRange()],
    [Truncate(1000), Status(416)],
    [Redirect("/elsewhere")] * 4,
    [Truncate(5000), IgnoreRange(), Status(502)],
]


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


def test_trust_on_first_use_gives_the_digest(sim_server: SimServer, bring: Bring, target: Path):
    sim_server.add("/m", DATA, keep_alive=True)
    for size in (SIZE, None):
        target.unlink(missing_ok=True)
        fetched = bring(sim_server.url("/m"), sha256=None, size=size, options=FOUR)
        assert (fetched.sha256, fetched.size) == (SHA, SIZE)
        assert target.read_bytes() == DATA


@pytest.mark.parametrize("form", ["weak", "none"])
def test_without_a_validator_and_a_digest_nothing_is_glued(
    sim_server: SimServer, bring: Bring, target: Path, form: Any
):
    sim_server.add("/m", OTHER, etag_form=form).fail(Truncate(300_000), Replace(DATA))
    fetched = bring(sim_server.url("/m"), sha256=None, options=FOUR)
    assert target.read_bytes() == DATA
    assert fetched.sha256 == SHA
    assert asked(sim_server)[-1] == ""  # from the beginning


def test_without_a_digest_a_date_is_a_validator(sim_server: SimServer, bring: Bring, target: Path):
    date = "Mon, 02 Mar 2026 08:00:00 GMT"
    sim_server.add("/m", DATA, etag_form="weak", modified=date).fail(Truncate(300_000))
    assert bring(sim_server.url("/m"), sha256=None).received == SIZE
    assert sim_server.log[-1].headers["if-range"] == date


def test_without_a_digest_a_changed_file_starts_over(
    sim_server: SimServer, bring: Bring, target: Path
):
    for size in (SIZE, None):
        target.unlink(missing_ok=True)
        resource = sim_server.add("/m", OTHER).fail(Truncate(300_000), Replace(DATA))
        assert bring(sim_server.url("/m"), sha256=None, size=size).sha256 == SHA
        assert not resource.faults
    sim_server.add("/m", OTHER + b"longer").fail(Truncate(300_000), Replace(DATA))
    target.unlink()
    assert bring(sim_server.url("/m"), sha256=None, size=None).sha256 == SHA


def test_without_a_digest_a_file_that_never_rests_is_given_up(
    sim_server: SimServer, bring: Bring, target: Path
):
    resource = sim_server.add("/m", DATA)
    for number in range(9):
        resource.fail(Truncate(1000), Replace(bytes([number]) * SIZE))
        resource.fail(Truncate(1000))
    with pytest.raises(NetworkError, match="changes while it is downloaded"):
        bring(sim_server.url("/m"), sha256=None)
    assert not target.exists()


def test_without_a_digest_origins_are_not_mixed(
    sim_server: SimServer, second: SimServer, bring: Bring, target: Path
):
    sim_server.add("/m", OTHER).fail(Truncate(300_000), Status(404))
    second.add("/m", DATA)
    assert bring(sim_server.url("/m"), second.url("/m"), sha256=None).sha256 == SHA
    assert asked(second) == [""]


def test_without_a_digest_a_web_page_is_refused(sim_server: SimServer, bring: Bring, target: Path):
    sim_server.add("/m", DATA).fail(WebPage())
    with pytest.raises(NetworkError, match="web page"):
        bring(sim_server.url("/m"), sha256=None, size=None)
    sim_server.add("/m", DATA, length=False)
    with pytest.raises(NetworkError, match="does not say how long"):
        bring(sim_server.url("/m"), sha256=None, size=None)
    assert not target.exists()


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


def test_wrong_bytes_of_a_mirror_are_said_and_outweigh_a_missing_network(
    sim_server: SimServer, second: SimServer, bring: Bring, target: Path
):
    sim_server.add("/m", OTHER)
    second.add("/m", DATA)
    said = Recorder()
    bring(sim_server.url("/m"), second.url("/m"), reporter=said)
    assert target.read_bytes() == DATA
    assert any("is not the pinned file" in text for text in said.notes)
    target.unlink()
    second.add("/m", DATA).fail(Status(503), times=9)
    with pytest.raises(TrustError) as caught:
        bring(sim_server.url("/m"), second.url("/m"))
    assert f"127.0.0.1:{sim_server.address[1]}" in caught.value.what
    assert SHA in caught.value.why


@pytest.mark.parametrize("length", ["9" * 400, "9" * 5000, "-1", "1e3", "٣"])
def test_a_nonsense_length_is_survived(
    sim_server: SimServer, second: SimServer, bring: Bring, target: Path, length: str
):
    sim_server.add("/m", DATA).fail(Headers({"Content-Length": length}))
    second.add("/m", DATA)
    bring(sim_server.url("/m"), second.url("/m"))
    assert target.read_bytes() == DATA


def test_a_token_goes_to_its_host_only(
    sim_server: SimServer, second: SimServer, bring: Bring, quick: NetSettings, target: Path
):
    settings = replace(quick, tokens=((sim_server.url(""), "hf_geheim"),))
    sim_server.add("/m", DATA, token="hf_geheim").fail(Redirect(second.url("/cdn")))
    second.add("/cdn", DATA).fail(Truncate(300_000), Status(403))
    bring(sim_server.url("/m"), settings=settings)
    assert target.read_bytes() == DATA
    assert all("authorization" not in request.headers for request in second.log)
    sent = [request.headers.get("authorization") for request in sim_server.log]
    assert set(sent) == {"Bearer hf_geheim"}
    assert "geheim" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("https://hub.example/x", "t"),
        ("https://hub.example:443/x", "t"),
        ("https://HUB.example/x", "t"),
        ("http://hub.example/x", ""),
        ("https://hub.example:8443/x", ""),
        ("https://evil.hub.example/x", ""),
        ("https://hub.example.evil/x", ""),
        ("https://hub.example@evil.example/x", ""),
        ("http://lan.example:8080/x", "l"),
        ("https://lan.example:8080/x", ""),
        ("https://lan.example/x", ""),
    ],
)
def test_which_requests_carry_a_token(url: str, token: str):
    settings = NetSettings(tokens=(("https://hub.example", "t"), ("http://lan.example:8080", "l")))
    assert settings.token_for(url) == token


def test_a_token_that_cannot_be_sent_is_not_shown(
    sim_server: SimServer, bring: Bring, quick: NetSettings
):
    origin = sim_server.url("")
    sim_server.add("/m", DATA)
    with pytest.raises(UsageError) as caught:
        bring(sim_server.url("/m"), settings=replace(quick, tokens=((origin, "geheim\n"),)))
    assert "geheim" not in f"{caught.value} {caught.value.next_step}"


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
