"""Random access over HTTP: the right bytes or a clear error, and few of them."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from smolpc.errors import NetworkError
from smolpc.net import NetSettings
from smolpc.net.ranges import READ_AHEAD, RangeSource
from tests.sim.server import (
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

MB = 1 << 20
DATA = random.Random(7).randbytes(3 * MB + 17)
OTHER = random.Random(8).randbytes(len(DATA))


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_what_is_read_is_what_lies_there(sim_server: SimServer, quick: NetSettings, ranges: bool):
    sim_server.add("/m.gguf", DATA, ranges=ranges)
    with RangeSource(sim_server.url("/m.gguf"), quick) as source:
        for offset, count in ((0, 10), (10, MB), (MB + 10, 100), (2 * MB, MB), (5, 20)):
            assert source.read_at(offset, count) == DATA[offset : offset + count]
        assert source.size == len(DATA)
        assert source.read_at(len(DATA) - 5, 100) == DATA[-5:]
        assert source.read_at(len(DATA) + 5, 100) == b""


def test_many_small_reads_are_few_requests(sim_server: SimServer, quick: NetSettings):
    sim_server.add("/m.gguf", DATA)
    with RangeSource(sim_server.url("/m.gguf"), quick) as source:
        read = b"".join(source.read_at(at, 100) for at in range(0, READ_AHEAD, 100))
    assert DATA.startswith(read[:READ_AHEAD])
    assert len(sim_server.log) <= 2


def test_only_what_was_asked_for_is_transferred(sim_server: SimServer, quick: NetSettings):
    sim_server.add("/m.gguf", DATA)
    with RangeSource(sim_server.url("/m.gguf"), quick) as source:
        source.read_at(0, MB)
        assert source.transferred == MB
        source.read_at(2 * MB, MB)
        assert source.transferred == 2 * MB
    assert [request.headers["range"] for request in sim_server.log] == [
        f"bytes=0-{MB - 1}",
        f"bytes={2 * MB}-{3 * MB - 1}",
    ]


def test_a_server_without_ranges_is_read_once_and_not_to_the_end(
    sim_server: SimServer, quick: NetSettings
):
    sim_server.add("/m.gguf", DATA, ranges=False)
    with RangeSource(sim_server.url("/m.gguf"), quick) as source:
        assert source.read_at(0, MB) + source.read_at(MB, 1000) == DATA[: MB + 1000]
        assert source.size == len(DATA)
        assert source.transferred < 2 * MB
    assert len(sim_server.log) == 1


def test_a_server_that_tells_neither_ranges_nor_size(sim_server: SimServer, quick: NetSettings):
    sim_server.add("/m.gguf", DATA, ranges=False, length=False)
    with RangeSource(sim_server.url("/m.gguf"), quick) as source:
        assert source.read_at(0, 10) == DATA[:10]
        assert source.size is None
        assert source.read_at(0, 4 * MB) == DATA
        assert source.size == len(DATA)


def test_an_empty_file(sim_server: SimServer, quick: NetSettings):
    sim_server.add("/m.gguf", b"")
    with RangeSource(sim_server.url("/m.gguf"), quick) as source:
        assert source.read_at(0, 10) == b""
        assert source.size == 0


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
@pytest.mark.parametrize(
    "fault",
    [Truncate(1000), Reset(0), Reset(MB // 2), Stall(2000), Status(503), Status(429)],
    ids=str,
)
def test_faults_that_pass_are_borne(
    sim_server: SimServer, quick: NetSettings, fault: Fault, ranges: bool
):
    sim_server.add("/m.gguf", DATA, ranges=ranges).fail(fault)
    with RangeSource(sim_server.url("/m.gguf"), quick) as source:
        assert source.read_at(0, MB) == DATA[:MB]
        sim_server.resources["/m.gguf"].fail(fault)
        assert source.read_at(2 * MB, MB) == DATA[2 * MB : 3 * MB]


def test_bytes_that_came_are_not_fetched_again(sim_server: SimServer, quick: NetSettings):
    sim_server.add("/m.gguf", DATA).fail(Truncate(MB // 2))
    with RangeSource(sim_server.url("/m.gguf"), quick) as source:
        assert source.read_at(0, MB) == DATA[:MB]
        assert source.transferred < MB + MB // 8


def test_a_server_that_sends_another_range_is_read_from_its_beginning(
    sim_server: SimServer, quick: NetSettings
):
    sim_server.add("/m.gguf", DATA)
    with RangeSource(sim_server.url("/m.gguf"), quick) as source:
        source.read_at(0, 10)
        sim_server.resources["/m.gguf"].fail(WrongRange())
        assert source.read_at(MB, 10) == DATA[MB : MB + 10]


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
@pytest.mark.parametrize("new", [OTHER, OTHER[:MB]], ids=["same size", "shorter"])
def test_a_file_that_changes_between_two_reads_is_an_error(
    sim_server: SimServer, quick: NetSettings, ranges: bool, new: bytes
):
    sim_server.add("/m.gguf", DATA, ranges=ranges)
    with RangeSource(sim_server.url("/m.gguf"), quick) as source:
        source.read_at(MB, 10)
        sim_server.resources["/m.gguf"].fail(Replace(new))
        with pytest.raises(NetworkError, match="changed while it was read"):
            source.read_at(0, 10)


def test_faults_that_stay_are_an_error(sim_server: SimServer, quick: NetSettings):
    sim_server.add("/m.gguf", DATA).fail(Status(503), times=99)
    with (
        RangeSource(sim_server.url("/m.gguf"), quick) as source,
        pytest.raises(NetworkError, match="HTTP 503"),
    ):
        source.read_at(0, 10)
    assert len(sim_server.log) == quick.attempts


def test_a_login_page_is_not_the_file(sim_server: SimServer, quick: NetSettings):
    sim_server.add("/m.gguf", DATA).fail(WebPage())
    with (
        RangeSource(sim_server.url("/m.gguf"), quick) as source,
        pytest.raises(NetworkError, match="web page"),
    ):
        source.read_at(0, 10)


def test_a_file_that_is_not_there(sim_server: SimServer, quick: NetSettings):
    with (
        RangeSource(sim_server.url("/no.gguf"), quick) as source,
        pytest.raises(NetworkError, match="404"),
    ):
        source.read_at(0, 10)


def test_redirects_are_followed(sim_server: SimServer, quick: NetSettings):
    sim_server.add("/m.gguf", DATA)
    sim_server.add("/from", b"").fail(Redirect("/m.gguf"), times=9)
    with RangeSource(sim_server.url("/from"), quick) as source:
        assert source.read_at(MB, 10) == DATA[MB : MB + 10]


@pytest.mark.parametrize("kind", ["login", "token"])
def test_secrets_are_sent_but_never_shown(sim_server: SimServer, quick: NetSettings, kind: str):
    user = "pupil:s3cret" if kind == "login" else ""
    settings = replace(quick, tokens=() if user else ((sim_server.url(""), "s3cret"),))
    sim_server.add("/m.gguf", DATA, user=user, token="" if user else "s3cret")
    url = sim_server.url("/m.gguf?signature=s3cret", user=user)
    with RangeSource(url, settings) as source:
        assert source.read_at(0, 10) == DATA[:10]
        assert sim_server.log[-1].status == 206
        assert user or sim_server.log[-1].headers["authorization"] == "Bearer s3cret"
        assert "s3cret" not in source.name
        sim_server.resources["/m.gguf"].fail(Status(500), times=9)
        with pytest.raises(NetworkError) as caught:
            source.read_at(2 * MB, 10)
    error = caught.value
    assert "s3cret" not in f"{error.what}{error.why}{error.next_step}"


def test_offline_means_offline(quick: NetSettings):
    with (
        RangeSource("https://models.example/m.gguf", replace(quick, offline=True)) as source,
        pytest.raises(NetworkError, match="offline"),
    ):
        source.read_at(0, 10)
