"""Which bytes are believed: without a digest, from lying mirrors, with tokens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smolpc.errors import NetworkError, TrustError, UsageError
from smolpc.net import NetSettings
from tests.net.fetch.common import (
    DATA,
    FOUR,
    OTHER,
    SHA,
    SIZE,
    Bring,
    Recorder,
    asked,
)
from tests.sim.server import (
    Headers,
    Redirect,
    Replace,
    SimServer,
    Status,
    Truncate,
    WebPage,
)

pytest_plugins = ["tests.sim.fixtures"]


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
