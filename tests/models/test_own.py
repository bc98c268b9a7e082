"""`models.add`: what a file says about itself, here or on a server."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from smolpc.catalog import resolve_model
from smolpc.console import Silent
from smolpc.errors import NetworkError, TrustError, UsageError
from smolpc.models import own, registry
from smolpc.net import NetSettings
from smolpc.provision.target import catalog_for
from smolpc.schema.model import FileSource, HttpsSource, HubSource, ModelManifest
from smolpc.settings import Settings
from tests.gguf import build as g
from tests.sim.server import SimServer

pytest_plugins = ["tests.sim.fixtures"]

MODEL = g.build(
    [
        ("general.architecture", "llama"),
        ("general.name", "Tiny Test"),
        ("general.basename", "tiny"),
        ("general.license", "mit"),
        ("general.file_type", g.Typed(4, 15)),
        ("llama.block_count", g.Typed(4, 2)),
        ("llama.context_length", g.Typed(4, 512)),
        ("llama.embedding_length", g.Typed(4, 8)),
        ("llama.feed_forward_length", g.Typed(4, 16)),
        ("llama.attention.head_count", g.Typed(4, 2)),
    ],
    g.placed([("token_embd.weight", (8, 4), g.F32)]),
)
SHA = hashlib.sha256(MODEL).hexdigest()


def add(what: str, net: NetSettings | None = None, **wishes: object) -> ModelManifest:
    force = bool(wishes.pop("force", False))
    chosen = Settings(hf_endpoint=str(wishes.pop("endpoint", "")))
    wanted = own.wishes(
        str(wishes.get("name", "")),
        str(wishes.get("license", "")),
        str(wishes.get("purpose", "")),
        str(wishes.get("sha256", "")),
    )
    manifest, path = own.add(
        what,
        wanted,
        catalog_for(Settings()),
        chosen,
        net=lambda: net or NetSettings(),
        reporter=Silent(),
        force=force,
    )
    assert path.parent == registry.folder()
    assert resolve_model(catalog_for(Settings()), manifest.name) == manifest
    return manifest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Über uns" / "Tiny v1.gguf"
    path.parent.mkdir()
    path.write_bytes(MODEL)
    return path


def test_a_local_file_is_described_and_pinned(file: Path):
    model = add(str(file))
    assert (model.name, model.family, model.summary) == ("tiny-v1", "tiny", "Tiny Test")
    assert (model.license.id, model.context_length, model.parameters) == ("MIT", 512, 32)
    assert (model.file.sha256, model.file.size) == (SHA, len(MODEL))
    assert (model.file.quantization, model.file.unverified) == ("Q4_K_M", "")
    assert model.file.sources == (FileSource(path=str(file)),)
    assert model.architecture is not None
    assert (model.architecture.layers, model.architecture.tied_output) == (2, True)


def test_the_users_word_counts(file: Path):
    model = add(
        str(file), name="unser-modell", license="apache-2.0", purpose="code,chat", sha256=SHA
    )
    assert model.name == "unser-modell"
    assert (model.license.id, model.license.commercial) == ("Apache-2.0", True)
    assert set(model.purposes) == {"chat", "code"}


def test_another_digest_than_the_user_says_is_not_declared(file: Path):
    with pytest.raises(TrustError, match="is not the file of that digest"):
        add(str(file), sha256="0" * 64)
    assert not registry.folder().exists()


@pytest.mark.parametrize(
    "data", [b"", b"not a model" * 100, MODEL[:100]], ids=["empty", "text", "cut off"]
)
def test_what_is_no_model_is_not_declared(file: Path, data: bytes):
    file.write_bytes(data)
    with pytest.raises(TrustError):
        add(str(file))
    assert not registry.folder().exists()


def test_the_second_of_a_name_needs_another_name(file: Path):
    add(str(file))
    other = file.with_name("copy") / "Tiny v1.gguf"
    other.parent.mkdir()
    other.write_bytes(MODEL + b"more")
    with pytest.raises(UsageError, match="'tiny-v1' is already a name"):
        add(str(other))
    assert add(str(other), name="tiny-v2").name == "tiny-v2"


def test_a_file_that_the_registry_has_is_said_to_be_that(file: Path):
    add(str(file), name="first")
    with pytest.raises(UsageError, match="the registry has that model: first") as caught:
        add(str(file), name="second")
    assert caught.value.next_step == "smolpc models.pull first"
    assert add(str(file), name="second", force=True).name == "second"
    with pytest.raises(UsageError, match=r"the registry has that model: qwen2\.5-coder:7b"):
        add("qwen2.5-coder:7b")


def test_a_remote_file_is_described_but_not_pinned(sim_server: SimServer, quick: NetSettings):
    sim_server.add("/m/tiny-q8_0.gguf", MODEL)
    url = sim_server.url("/m/tiny-q8_0.gguf")
    model = add(url, quick)
    assert (model.name, model.file.size, model.file.sha256) == ("tiny-q8_0", len(MODEL), None)
    assert model.file.unverified
    assert model.file.sources == (HttpsSource(url=url),)
    assert model.context_length == 512
    with pytest.raises(UsageError, match="the registry has that model"):
        add(url, quick)
    assert add(url, quick, sha256=SHA, force=True).sha256 == SHA


def test_a_hub_file_is_read_from_the_users_hub(
    sim_server: SimServer, quick: NetSettings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_TOKEN", "hf_geheim")
    sim_server.add("/hub/O/r/resolve/main/Tiny.gguf", MODEL)
    model = add("hf:O/r:Tiny.gguf", quick, endpoint=sim_server.url("/hub"))
    assert model.file.sources == (HubSource(repo="O/r", file="Tiny.gguf"),)
    assert model.aliases == ("hf:o/r:tiny.gguf",)
    (request, *_) = sim_server.requests("/hub/O/r/resolve/main/Tiny.gguf")
    assert request.headers["authorization"] == "Bearer hf_geheim"
    assert "geheim" not in (registry.folder() / "tiny.yaml").read_text()
    assert resolve_model(catalog_for(Settings()), "hf:O/r:Tiny.gguf") == model


def test_a_server_without_the_file(sim_server: SimServer, quick: NetSettings):
    with pytest.raises(NetworkError):
        add(sim_server.url("/nothing.gguf"), quick)


def test_a_signed_address_is_not_kept(sim_server: SimServer, quick: NetSettings):
    with pytest.raises(UsageError, match="has a query") as caught:
        add(sim_server.url("/m.gguf?sig=geheim"), quick)
    assert "geheim" not in f"{caught.value.what}{caught.value.why}{caught.value.next_step}"
    assert sim_server.log == []


def test_a_part_of_a_split_model(tmp_path: Path):
    for number in (1, 2):
        rows = [("split.no", g.Typed(2, number - 1)), ("split.count", g.Typed(2, 2))]
        rows.append(("split.tensors.count", g.Typed(5, 2)))
        data = g.build(
            [("general.architecture", "llama"), *rows], g.placed([(f"t{number}", (8,), g.F32)])
        )
        (tmp_path / f"m-0000{number}-of-00002.gguf").write_bytes(data)
    with pytest.raises(UsageError, match="is one part of a model in 2 files"):
        add(str(tmp_path / "m-00001-of-00002.gguf"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("", "", "coding", ""), "'coding' is not a purpose"),
        (("", "", "", "abc"), "--sha256 is not a sha256"),
        (("", "", "", "g" * 64), "--sha256 is not a sha256"),
    ],
)
def test_wrong_options(options: tuple[str, str, str, str], says: str):
    with pytest.raises(UsageError, match=says):
        own.wishes(*options)


def test_right_options():
    wanted = own.wishes("", "", " Code chat", f"sha256:{SHA.upper()}")
    assert (wanted.sha256, set(wanted.purposes)) == (SHA, {"chat", "code"})
