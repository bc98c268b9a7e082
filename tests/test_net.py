"""The door to HTTP: what arrives is pinned and whole, or nothing is there and the error
says what to do."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from smolpc import files, net
from smolpc.console import Silent
from smolpc.errors import NetworkError, SmolpcError, SpaceError, TrustError, UsageError
from smolpc.net import NetSettings
from tests.sim.proxy import SimProxy
from tests.sim.server import (
    Corrupt,
    Fault,
    Redirect,
    Replace,
    Reset,
    SimServer,
    Stall,
    Status,
    Truncate,
    WebPage,
    WrongRange,
)

pytest_plugins = ["tests.sim.fixtures"]

DATA = bytes(range(256)) * 4000  # 1 MB
SHA = hashlib.sha256(DATA).hexdigest()

Bring = Callable[..., None]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "Ablage für Schüler" / "file.bin"


@pytest.fixture
def bring(target: Path, quick: NetSettings) -> Bring:
    def run(url: str, *, settings: NetSettings = quick, size: int | None = len(DATA)) -> None:
        net.download(
            url,
            target,
            sha256=SHA,
            size=size,
            reporter=Silent(),
            title="download",
            settings=settings,
        )

    return run


def left_over(target: Path) -> set[str]:
    return {path.name for path in target.parent.iterdir()} - {f".{target.name}.lock"}


def test_the_file_arrives_and_nothing_else(sim_server: SimServer, bring: Bring, target: Path):
    sim_server.add("/file.bin", DATA)
    bring(sim_server.url("/file.bin"))
    assert target.read_bytes() == DATA
    assert left_over(target) == {"file.bin"}


def test_a_file_that_is_there_is_not_fetched_again(
    sim_server: SimServer, bring: Bring, quick: NetSettings
):
    sim_server.add("/file.bin", DATA)
    bring(sim_server.url("/file.bin"))
    bring("https://not-there.example/file.bin", settings=replace(quick, offline=True))
    assert len(sim_server.log) == 1


def test_a_wrong_file_under_the_name_is_replaced(sim_server: SimServer, bring: Bring, target: Path):
    sim_server.add("/file.bin", DATA)
    target.parent.mkdir()
    target.write_bytes(b"something else")
    bring(sim_server.url("/file.bin"))
    assert target.read_bytes() == DATA


@pytest.mark.parametrize(
    "faults",
    [
        [Truncate(1000)],
        [Truncate(0)],
        [Reset(300_000)],
        [Stall(300_000)],
        [Status(503, "0"), Status(429, "0")],
        [Status(500)],
        [Truncate(100_000), WrongRange()],
        [Truncate(100_000), Status(416)],
    ],
    ids=str,
)
@pytest.mark.parametrize("ranges", [True, False])
def test_passing_faults_are_borne(
    sim_server: SimServer, bring: Bring, target: Path, faults: list[Fault], ranges: bool
):
    sim_server.add("/file.bin", DATA, ranges=ranges).fail(*faults)
    bring(sim_server.url("/file.bin"))
    assert target.read_bytes() == DATA
    assert left_over(target) == {"file.bin"}


def test_faults_with_progress_between_them_are_borne_for_ever(
    sim_server: SimServer, bring: Bring, target: Path
):
    resource = sim_server.add("/file.bin", DATA).fail(Truncate(100_000), times=8)
    bring(sim_server.url("/file.bin"))
    assert target.read_bytes() == DATA
    assert not resource.faults


def test_a_file_without_a_known_length_arrives(sim_server: SimServer, bring: Bring, target: Path):
    sim_server.add("/file.bin", DATA, length=False).fail(Truncate(5000))
    bring(sim_server.url("/file.bin"))
    assert target.read_bytes() == DATA


def test_an_interrupted_download_continues(sim_server: SimServer, bring: Bring, target: Path):
    resource = sim_server.add("/file.bin", DATA).fail(Truncate(200_000), Status(403))
    with pytest.raises(NetworkError):
        bring(sim_server.url("/file.bin"))
    assert left_over(target) == {"file.bin.part", "file.bin.part.json"}
    assert not resource.faults
    bring(sim_server.url("/file.bin"))
    assert sim_server.log[-1].headers["range"] == "bytes=200000-"
    assert target.read_bytes() == DATA


def test_a_part_of_another_file_does_no_harm(sim_server: SimServer, bring: Bring, target: Path):
    sim_server.add("/file.bin", DATA)
    for rubbish in (b"x" * 5000, b"x" * len(DATA), b"x" * (len(DATA) + 1)):
        target.parent.mkdir(exist_ok=True)
        target.unlink(missing_ok=True)
        target.with_name("file.bin.part").write_bytes(rubbish)
        bring(sim_server.url("/file.bin"))
        assert target.read_bytes() == DATA


def test_a_file_that_changes_half_way_is_not_glued(
    sim_server: SimServer, bring: Bring, target: Path
):
    sim_server.add("/file.bin", b"y" * len(DATA)).fail(Truncate(300_000), Replace(DATA))
    bring(sim_server.url("/file.bin"))
    assert target.read_bytes() == DATA


@pytest.mark.parametrize(
    ("fault", "times", "error"),
    [
        (Status(404), 1, NetworkError),
        (Status(403), 1, NetworkError),
        (Status(418), 1, NetworkError),
        (Status(503), 9, NetworkError),
        (Status(503, "86400"), 1, NetworkError),
        (Truncate(0), 9, NetworkError),
        (Reset(0), 9, NetworkError),
        (Stall(0), 9, NetworkError),
        (Redirect("/file.bin"), 99, NetworkError),
        (Corrupt(12), 1, TrustError),
        (WebPage(), 1, TrustError),
        (Replace(DATA + b"!"), 1, TrustError),
        (Replace(DATA[:-1]), 1, TrustError),
    ],
)
def test_lasting_faults_end_in_the_right_error(
    sim_server: SimServer,
    bring: Bring,
    target: Path,
    fault: Fault,
    times: int,
    error: type[SmolpcError],
):
    sim_server.add("/file.bin", DATA).fail(fault, times=times)
    with pytest.raises(error) as caught:
        bring(sim_server.url("/file.bin"))
    assert not target.exists()
    assert "127.0.0.1" in str(caught.value)
    assert caught.value.next_step
    if error is TrustError:
        assert left_over(target) == set()


def test_wrong_bytes_are_named(sim_server: SimServer, bring: Bring):
    sim_server.add("/file.bin", DATA).fail(Corrupt(12))
    with pytest.raises(TrustError) as caught:
        bring(sim_server.url("/file.bin"))
    assert SHA in caught.value.why
    assert "got" in caught.value.why


def test_too_many_bytes_are_not_stored(sim_server: SimServer, bring: Bring, target: Path):
    sim_server.add("/file.bin", DATA * 3, length=False)
    with pytest.raises(TrustError, match="not the pinned file"):
        bring(sim_server.url("/file.bin"))
    assert left_over(target) == set()


def test_a_login_page_is_recognised(sim_server: SimServer, bring: Bring):
    sim_server.add("/file.bin", DATA).fail(WebPage())
    with pytest.raises(TrustError, match="login page"):
        bring(sim_server.url("/file.bin"))


def test_a_server_that_is_not_there(loopback: None, plain_network: None, bring: Bring):
    with pytest.raises(NetworkError) as caught:
        bring("http://127.0.0.1:9/file.bin")
    assert "127.0.0.1:9" in str(caught.value)


def test_retry_after_is_obeyed(
    sim_server: SimServer, quick: NetSettings, monkeypatch: pytest.MonkeyPatch
):
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    sim_server.add("/file.bin", DATA).fail(Status(429, "7"), Status(503, past))
    net.get(sim_server.url("/file.bin"), quick)
    assert waits == [7, 0]


def test_space_is_checked_before_a_byte_is_written(
    sim_server: SimServer, bring: Bring, target: Path, monkeypatch: pytest.MonkeyPatch
):
    sim_server.add("/file.bin", DATA)
    monkeypatch.setattr(files, "free_bytes", lambda path: 24_000)
    with pytest.raises(SpaceError, match=r"1\.0 MB are missing"):
        bring(sim_server.url("/file.bin"))
    assert sim_server.log == []
    with pytest.raises(SpaceError):
        bring(sim_server.url("/file.bin"), size=None)
    assert not target.exists()
    assert sum(path.stat().st_size for path in target.parent.iterdir()) == 0


def test_ctrl_c_leaves_a_part_that_continues(
    sim_server: SimServer, target: Path, quick: NetSettings, bring: Bring
):
    class Impatient(Silent):
        def note(self, text: str) -> None: ...

        def task(self, title: str, *, total: float | None = None, unit: str = "B"):  # type: ignore[override,no-untyped-def]
            context = super().task(title, total=total, unit=unit)

            class Stop:
                def __enter__(self):  # type: ignore[no-untyped-def]
                    context.__enter__()
                    return self

                def __exit__(self, *rest):  # type: ignore[no-untyped-def]
                    return context.__exit__(*rest)

                def update(self, done: float, total: float | None = None) -> None:
                    raise KeyboardInterrupt

            return Stop()

    sim_server.add("/file.bin", DATA)
    with pytest.raises(KeyboardInterrupt):
        net.download(
            sim_server.url("/file.bin"),
            target,
            sha256=SHA,
            size=len(DATA),
            reporter=Impatient(),
            title="download",
            settings=quick,
        )
    assert left_over(target) == {"file.bin.part", "file.bin.part.json"}
    bring(sim_server.url("/file.bin"))
    assert target.read_bytes() == DATA


def test_two_at_once_download_once(sim_server: SimServer, bring: Bring, target: Path):
    sim_server.add("/file.bin", DATA)
    threads = [
        threading.Thread(target=bring, args=(sim_server.url("/file.bin"),)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == DATA
    assert len(sim_server.log) == 1


def test_offline_asks_nobody(sim_server: SimServer, bring: Bring, quick: NetSettings, target: Path):
    with pytest.raises(NetworkError, match="offline mode is on") as caught:
        bring("https://files.example/file.bin", settings=replace(quick, offline=True))
    assert "SMOLPC_OFFLINE=0" in caught.value.next_step
    assert not target.exists()


@pytest.mark.parametrize("form", ["path", "url"])
def test_a_share_or_a_folder_is_a_source(tmp_path: Path, bring: Bring, target: Path, form: str):
    source = tmp_path / "Schul Server ü" / "file.bin"
    source.parent.mkdir()
    source.write_bytes(DATA)
    bring(str(source) if form == "path" else source.as_uri())
    assert target.read_bytes() == DATA
    assert source.exists()


def test_a_missing_or_wrong_local_file(tmp_path: Path, bring: Bring, target: Path):
    with pytest.raises(NetworkError, match="cannot be read"):
        bring(str(tmp_path / "nowhere"))
    for wrong in (DATA[:-1], DATA + b"!", b"z" * len(DATA)):
        (tmp_path / "wrong").write_bytes(wrong)
        with pytest.raises(TrustError):
            bring(str(tmp_path / "wrong"))
        assert left_over(target) == set()


def test_credentials_are_used_and_never_shown(sim_server: SimServer, bring: Bring):
    resource = sim_server.add("/file.bin", DATA, user="lehrer:ge heim@1")
    url = sim_server.url("/file.bin?token=abcdef", user="lehrer:ge%20heim%401")
    resource.fail(Status(404))
    with pytest.raises(NetworkError) as caught:
        bring(url)
    said = f"{caught.value} {caught.value.next_step}"
    assert "heim" not in said
    assert "abcdef" not in said
    bring(url)


def test_a_login_that_is_missing_is_explained(sim_server: SimServer, bring: Bring):
    sim_server.add("/file.bin", DATA, user="a:b")
    with pytest.raises(NetworkError, match="refuses access"):
        bring(sim_server.url("/file.bin"))


def test_netrc_is_used(
    sim_server: SimServer, bring: Bring, own_home: Path, monkeypatch: pytest.MonkeyPatch
):
    (own_home / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(own_home / ".netrc"))
    sim_server.add("/file.bin", DATA, user="a:b")
    bring(sim_server.url("/file.bin"))


def test_redirects_are_followed_without_the_password(sim_server: SimServer, bring: Bring):
    with SimServer() as other:
        other.add("/stored", DATA)
        sim_server.add("/file.bin", DATA, user="a:b").fail(Redirect(other.url("/stored")))
        bring(sim_server.url("/file.bin", user="a:b"))
        assert "authorization" not in other.log[0].headers


def test_the_configured_proxy_is_used(
    sim_server: SimServer, sim_proxy: SimProxy, bring: Bring, quick: NetSettings
):
    sim_server.add("/file.bin", DATA)
    bring("http://mirror.example/file.bin", settings=replace(quick, proxy=sim_proxy.url()))
    assert sim_proxy.seen == ["GET mirror.example"]


def test_the_proxy_of_the_environment_is_used(
    sim_server: SimServer, sim_proxy: SimProxy, bring: Bring, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HTTP_PROXY", sim_proxy.url())
    monkeypatch.setenv("http_proxy", sim_proxy.url())
    sim_server.add("/file.bin", DATA)
    bring("http://mirror.example/file.bin")
    assert sim_proxy.seen == ["GET mirror.example"]


def test_no_proxy_is_obeyed(
    sim_server: SimServer,
    sim_proxy: SimProxy,
    bring: Bring,
    quick: NetSettings,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    sim_server.add("/file.bin", DATA)
    bring(sim_server.url("/file.bin"), settings=replace(quick, proxy=sim_proxy.url()))
    assert sim_proxy.seen == []


def test_a_proxy_that_wants_a_login_is_explained(
    sim_server: SimServer, bring: Bring, quick: NetSettings
):
    sim_server.add("/file.bin", DATA)
    with SimProxy(sim_server.address, user="kind:geheim") as proxy:
        for scheme in ("http", "https"):
            with pytest.raises(NetworkError, match="wants a user name") as caught:
                bring(
                    f"{scheme}://mirror.example/file.bin",
                    settings=replace(quick, proxy=proxy.url()),
                )
            assert "HTTPS_PROXY=" in caught.value.next_step
        with_login = replace(quick, proxy=proxy.url("kind:geheim"))
        bring("http://mirror.example/file.bin", settings=with_login)
        sim_server.add("/gone", b"").fail(Status(404))
        with pytest.raises(NetworkError) as caught:
            net.get("http://mirror.example/gone", with_login)
        assert str(proxy.port) in str(caught.value)
        assert "geheim" not in f"{caught.value} {with_login!r}"


def test_a_private_ca_must_be_named(sim_tls_server: SimServer, bring: Bring, quick: NetSettings):
    sim_tls_server.add("/file.bin", DATA)
    with pytest.raises(NetworkError, match="certificate of 127") as caught:
        bring(sim_tls_server.url("/file.bin"))
    assert "REQUESTS_CA_BUNDLE=" in caught.value.next_step
    bring(
        sim_tls_server.url("/file.bin"), settings=replace(quick, ca_bundle=sim_tls_server.ca_file)
    )


def test_tls_through_a_proxy(sim_tls_server: SimServer, bring: Bring, quick: NetSettings):
    sim_tls_server.add("/file.bin", DATA)
    with SimProxy(sim_tls_server.address) as proxy:
        chosen = replace(quick, proxy=proxy.url(), ca_bundle=sim_tls_server.ca_file)
        bring("https://mirror.example/file.bin", settings=chosen)
        assert proxy.seen == ["CONNECT mirror.example:443"]


def test_trusted_hosts_are_not_checked(sim_tls_server: SimServer, bring: Bring, quick: NetSettings):
    sim_tls_server.add("/file.bin", DATA)
    bring(sim_tls_server.url("/file.bin"), settings=replace(quick, trusted_hosts=("127.0.0.1",)))


def test_the_environment_names_the_ca(sim_tls_server: SimServer, quick: NetSettings):
    sim_tls_server.add("/page", b"hello")
    named = NetSettings.from_environment({"REQUESTS_CA_BUNDLE": sim_tls_server.ca_file})
    assert net.get(sim_tls_server.url("/page"), named).body == b"hello"


def test_a_ca_file_that_is_missing(bring: Bring, quick: NetSettings):
    with pytest.raises(UsageError, match=r"nowhere\.pem does not exist"):
        bring("https://files.example/x", settings=replace(quick, ca_bundle="/nowhere.pem"))


def test_get_reads_a_document_and_bears_faults(sim_server: SimServer, quick: NetSettings):
    sim_server.add("/page", b"hello", content_type="text/html; charset=utf-8").fail(
        Status(502), Truncate(2)
    )
    page = net.get(sim_server.url("/page"), quick)
    assert (page.body, page.content_type) == (b"hello", "text/html")
    assert sim_server.log[0].headers["user-agent"].startswith("smolpc/")
    with pytest.raises(NetworkError, match="too large"):
        net.get(sim_server.url("/page"), quick, limit=3)
