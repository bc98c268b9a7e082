"""The header of a model from a path or a URL, split or not, for a few MB."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from smolpc.errors import NetworkError, TrustError, UsageError
from smolpc.models.headers import header_of
from smolpc.net import NetSettings
from smolpc.net.ranges import RangeSource
from tests.gguf import build as g
from tests.gguf.shapes import qwen2_14b
from tests.gguf.test_split import name, part
from tests.sim.server import SimServer

pytest_plugins = ["tests.sim.fixtures"]

LIMIT = 16_000_000  # bytes; the promise for a remote model of 14B
SMALL = g.build([("general.architecture", "llama")], g.placed([("a", (8,), g.F32)]))


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_a_remote_14b_model_costs_less_than_16_mb(
    sim_server: SimServer,
    quick: NetSettings,
    monkeypatch: pytest.MonkeyPatch,
    ranges: bool,
):
    # Without ranges the simulator holds the whole answer in memory: 75 MB instead of 9 GB.
    head, size = qwen2_14b() if ranges else qwen2_14b(256, 256)
    sim_server.add("/m.gguf", g.WithZeros(head, size), tag='"14b"', ranges=ranges)
    opened: list[RangeSource] = []
    begin = RangeSource.__enter__
    monkeypatch.setattr(RangeSource, "__enter__", lambda s: opened.append(s) or begin(s))
    header = header_of(sim_server.url("/m.gguf"), quick)
    assert len(header.tensors) == 579
    assert header.file_size == size
    assert len(head) < sum(source.transferred for source in opened) < LIMIT


@pytest.mark.parametrize("as_text", [True, False])
def test_a_path(tmp_path: Path, quick: NetSettings, as_text: bool):
    path = tmp_path / "Modell für Schüler.gguf"
    path.write_bytes(SMALL)
    header = header_of(str(path) if as_text else path, quick)
    assert (header.architecture, header.file_size) == ("llama", len(SMALL))
    assert header_of(path.as_uri(), quick) == header


def test_a_path_where_nothing_is(tmp_path: Path, quick: NetSettings):
    with pytest.raises(UsageError, match=r"no\.gguf does not exist"):
        header_of(tmp_path / "no.gguf", quick)


@pytest.mark.parametrize("query", ["", "?download=true"])
@pytest.mark.parametrize("given", [1, 3])
def test_a_remote_split_model(sim_server: SimServer, quick: NetSettings, given: int, query: str):
    for number, names in ((1, "ab"), (2, "c"), (3, "de")):
        sim_server.add(f"/x/m-{number:05d}-of-00003.gguf", part(number, names))
    header = header_of(sim_server.url(f"/x/m-{given:05d}-of-00003.gguf{query}"), quick)
    assert [tensor.name for tensor in header.tensors] == list("abcde")
    assert header.parts == 3


def test_a_missing_remote_part_is_named(sim_server: SimServer, quick: NetSettings):
    for number in (1, 2):
        sim_server.add(f"/m-{number:05d}-of-00003.gguf", part(number, "ab"[number - 1]))
    with pytest.raises(NetworkError, match=r"part 3 of 3 .*m-00003-of-00003\.gguf.*404"):
        header_of(sim_server.url("/m-00001-of-00003.gguf"), quick)


def test_a_local_split_model(tmp_path: Path, quick: NetSettings):
    for number, names in ((1, "ab"), (2, "c"), (3, "de")):
        (tmp_path / name(number)).write_bytes(part(number, names))
    assert header_of(tmp_path / name(2), quick).parts == 3


def test_a_remote_file_that_is_no_model(sim_server: SimServer, quick: NetSettings):
    sim_server.add("/m.gguf", b"not a model " * 99)
    with pytest.raises(TrustError, match="letters GGUF"):
        header_of(sim_server.url("/m.gguf?token=s3cret", user="a:s3cret"), quick)


def test_the_token_is_sent_with_every_part(sim_server: SimServer, quick: NetSettings):
    for number, names in ((1, "ab"), (2, "c"), (3, "de")):
        sim_server.add(f"/m-{number:05d}-of-00003.gguf", part(number, names))
    settings = replace(quick, tokens=((sim_server.url(""), "t"),))
    header_of(sim_server.url("/m-00002-of-00003.gguf"), settings)
    assert {request.headers.get("authorization") for request in sim_server.log} == {"Bearer t"}
