"""One server, in JSON: what goes where, and what is made of its answers."""

from __future__ import annotations

import pytest

from smolpc.net import NetSettings
from smolpc.net.places import is_nearby
from smolpc.net.service import Answered, Broken, Service, Unreachable
from tests.sim.proxy import SimProxy
from tests.sim.server import Redirect, SimServer, Status, Truncate

pytest_plugins = ["tests.sim.fixtures"]


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://localhost:1/", True),
        ("http://127.0.0.1:11434", True),
        ("http://[::1]:11434", True),
        ("http://[fe80::1]:1", True),
        ("http://192.168.1.5", True),
        ("http://10.0.0.1", True),
        ("http://teacher-pc:11434", True),
        ("http://teacher.local", True),
        ("http://school.example", False),
        ("http://8.8.8.8", False),
        ("https://ollama.com", False),
    ],
)
def test_what_is_nearby(url: str, near: bool) -> None:
    assert is_nearby(url) is near


def test_a_redirect_is_not_followed(sim_server: SimServer) -> None:
    sim_server.add("/a", b"{}").fail(Redirect(sim_server.url("/b")))
    sim_server.add("/b", b"{}")
    with pytest.raises(Answered) as caught:
        Service(sim_server.url("")).get("/a")
    assert caught.value.status == 302
    assert sim_server.requests("/b") == []


def test_a_nearby_server_is_asked_directly_whatever_the_proxy(
    sim_server: SimServer, sim_proxy: SimProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", sim_proxy.url())
    sim_server.add("/a", b'{"x": 1}')
    service = Service(sim_server.url(""), settings=NetSettings(proxy=sim_proxy.url()))
    assert service.get("/a") == {"x": 1}
    assert sim_proxy.seen == []


def test_a_distant_server_is_asked_through_the_proxy(
    sim_server: SimServer, sim_proxy: SimProxy
) -> None:
    sim_server.add("/a", b'{"x": 1}')
    service = Service("http://school.example", settings=NetSettings(proxy=sim_proxy.url()))
    assert service.get("/a") == {"x": 1}
    assert sim_proxy.seen == ["GET school.example"]


def test_offline_forbids_other_machines_but_not_this_one(sim_server: SimServer) -> None:
    from smolpc.errors import NetworkError

    sim_server.add("/a", b"{}")
    offline = NetSettings(offline=True)
    assert Service(sim_server.url(""), settings=offline).get("/a") == {}
    with pytest.raises(NetworkError, match="offline"):
        Service("http://school.example", settings=offline).get("/a")


def test_passwords_of_netrc_are_not_sent(
    sim_server: SimServer, own_home: object, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    from pathlib import Path

    netrc = Path(str(tmp_path)) / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password geheim\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    sim_server.add("/a", b"{}")
    Service(sim_server.url("")).get("/a")
    assert "authorization" not in sim_server.log[-1].headers
    Service(sim_server.url(""), token="key").get("/a")
    assert sim_server.log[-1].headers["authorization"] == "Bearer key"


def test_lines_are_whole_whatever_the_packets(sim_server: SimServer) -> None:
    data = b"".join(b'{"n": %d, "text": "\xc3\xa4\xe2\x80\xa8"}\n' % n for n in range(5000))
    resource = sim_server.add("/a", data + b"last")
    resource.rate = 4_000_000
    with Service(sim_server.url("")).lines("/a", None, method="GET") as lines:
        found = list(lines)
    assert b"\n".join(found) == data + b"last"


def test_what_breaks_off_or_is_no_json(sim_server: SimServer) -> None:
    service = Service(sim_server.url(""))
    sim_server.add("/cut", b'{"x": 1}').fail(Truncate(3))
    with pytest.raises(Broken):
        service.get("/cut")
    sim_server.add("/page", b"<html>")
    with pytest.raises(Broken, match="JSON"):
        service.get("/page")
    sim_server.add("/gone", b"").fail(Status(410))
    with pytest.raises(Answered) as caught:
        service.get("/gone")
    assert caught.value.status == 410


def test_nobody_there(loopback: None, plain_network: None) -> None:
    with pytest.raises(Unreachable, match="nobody answers"):
        Service("http://127.0.0.1:9").get("/a")
