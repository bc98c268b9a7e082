"""Ollama's names, stores and manifests: right ones are read, hostile ones refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.errors import PrerequisiteError, SmolpcError, TrustError, UsageError
from smolpc.models.ollama import listing, manifest, names, stores
from tests.models.ollama.store import PREFIX, OllamaStore, model


@pytest.fixture
def ollama(tmp_path: Path) -> OllamaStore:
    return OllamaStore(tmp_path / "Modelle ü" / "models")


@pytest.mark.parametrize(
    ("typed", "shown", "slug"),
    [
        ("llama3.2:1b", "llama3.2:1b", "llama3.2-1b"),
        ("llama3.2", "llama3.2:latest", "llama3.2"),
        ("me/Fine_Model:Q4", "me/Fine_Model:Q4", "me-fine_model-q4"),
        ("hf.co/me/Model-GGUF:Q8_0", "hf.co/me/Model-GGUF:Q8_0", "me-model-gguf-q8_0"),
        ("localhost:5000/me/model", "localhost:5000/me/model:latest", "me-model"),
    ],
)
def test_names(typed: str, shown: str, slug: str):
    name = names.parse(typed)
    assert str(name) == shown
    assert name.slug == slug
    assert names.parse(str(name)) == name


@pytest.mark.parametrize(
    "typed", ["", ":", "../x", "a/../b", "a/b/c/d", "x:..", "/etc/passwd", "a b", ".hidden", "x\n"]
)
def test_what_is_no_name(typed: str):
    with pytest.raises(UsageError):
        names.parse(typed)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_name_never_leaves_its_folder(host: str, namespace: str, part: str, tag: str):
    name = names.from_parts(host, namespace, part, tag)
    if name is not None:
        for text in (name.namespace, name.model, name.tag, name.host):
            assert Path(text).name == text
            assert text not in (".", "..")


def test_stores_are_found_where_ollama_keeps_them(own_home: Path, tmp_path: Path):
    assert stores.find({}) == ()
    with pytest.raises(PrerequisiteError) as caught:
        stores.require("")
    assert "~/.ollama/models" in caught.value.why
    mine = OllamaStore(own_home / ".ollama" / "models")
    other = OllamaStore(tmp_path / "other")
    assert stores.find({}) == (mine.root.resolve(),)
    assert stores.find({"OLLAMA_MODELS": str(other.root)}) == (
        other.root.resolve(),
        mine.root.resolve(),
    )
    assert stores.require(str(other.root)) == (other.root.resolve(),)
    with pytest.raises(UsageError, match="not a model store"):
        stores.require(str(tmp_path))


@pytest.mark.parametrize("old", [False, True])
def test_a_model_is_listed_with_what_its_header_says(tmp_path: Path, old: bool):
    ollama = OllamaStore(tmp_path, old=old)
    data = ollama.add("tiny", "1b")
    ollama.add("me/tiny", "latest")
    ollama.path("tiny", ".DS_Store").write_bytes(b"x")
    found = listing.entries([tmp_path], ["llama"])
    assert [str(entry.name) for entry in found] == ["me/tiny:latest", "tiny:1b"]
    entry = listing.find(found, "tiny:1b")
    assert entry.error is None
    assert entry.obstacle == ""
    assert (entry.architecture, entry.quantization, entry.size) == ("llama", "Q4_0", len(data))
    assert entry.sha256 == hashlib.sha256(data).hexdigest()
    with pytest.raises(UsageError, match="did you mean 'tiny:1b'"):
        listing.find(found, "tny:1b")


def test_of_two_stores_the_first_one_wins(tmp_path: Path):
    one, two = OllamaStore(tmp_path / "1"), OllamaStore(tmp_path / "2")
    one.add("tiny", "1b")
    two.add("tiny", "1b", data=model(("x", 1)))
    two.add("tiny", "2b")
    found = listing.entries([one.root, two.root])
    assert [(str(entry.name), entry.store) for entry in found] == [
        ("tiny:1b", one.root),
        ("tiny:2b", two.root),
    ]


def problem(ollama: OllamaStore) -> SmolpcError:
    """What is wrong with the only model."""
    (entry,) = listing.entries([ollama.root], ["llama"])
    assert entry.error is not None
    assert entry.error.next_step
    return entry.error


@pytest.mark.parametrize(
    "digest",
    [
        "sha256:../../../../etc/passwd",
        "sha256:" + "A" * 64,
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 64 + "\n",
        "sha512:" + "a" * 64,
        "../blobs/sha256-" + "a" * 64,
        "",
        None,
        7,
    ],
)
def test_a_digest_that_is_none_is_refused(ollama: OllamaStore, digest: Any):
    ollama.write("tiny", "1b", [{"mediaType": PREFIX + "model", "digest": digest, "size": 1}])
    assert isinstance(problem(ollama), TrustError)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"schemaVersion": 1, "layers": []}',
        b'{"schemaVersion": 2}',
        b'{"schemaVersion": 2, "layers": {}}',
        b'{"schemaVersion": 2, "layers": [{"mediaType": "x", "size": -1}]}',
        b"\xff\xfe",
        b'{"layers": ' + b"[" * 100_000,
        b'{"x": ' + b'{"x":' * 100_000,
        b'{"schemaVersion": 2, "layers": [' + b"1," * 10 + b"1]}",
    ],
)
def test_a_manifest_that_is_none_is_refused(ollama: OllamaStore, text: bytes):
    ollama.path("tiny", "1b").write_bytes(text)
    assert isinstance(problem(ollama), TrustError)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "it is not valid JSON"),
        ("[]", "it is not a JSON object"),
        ('{"schemaVersion": 1, "layers": []}', "schemaVersion is not 2, the only version there is"),
        ('{"schemaVersion": 2}', "it has no layers"),
        ('{"schemaVersion": 2, "layers": [{}]}', "layers[0] has no mediaType"),
        (
            '{"schemaVersion": 2, "layers": [1]}',
            "layers[0] is not a layer with mediaType, digest and size",
        ),
        (
            '{"schemaVersion": 2, "layers": [{"mediaType": "x", "digest": "../x", "size": 1}]}',
            "layers[0].digest is not 'sha256:' and 64 hexadecimal digits",
        ),
        (
            '{"schemaVersion": 2, "layers": [{"mediaType": "x", "size": -1}]}',
            "layers[0].size is not a number of bytes",
        ),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said_in_plain_words(
    ollama: OllamaStore, text: str, why: str
):
    ollama.path("tiny", "1b").write_text(text)
    assert problem(ollama).why == why


@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes):
    path = tmp_path_factory.mktemp("m") / "m"
    path.write_bytes(data)
    with pytest.raises(TrustError):
        manifest.read(path)


def test_a_huge_manifest_is_refused_unread(ollama: OllamaStore):
    path = ollama.path("tiny", "1b")
    with path.open("wb") as stream:
        stream.truncate(1 << 40)  # sparse
    assert "too large" in problem(ollama).what


def test_a_folder_where_the_manifest_should_be(ollama: OllamaStore):
    ollama.path("tiny", "1b").mkdir()
    assert "not a file" in problem(ollama).what


def test_a_missing_blob_says_to_pull_again(ollama: OllamaStore):
    ollama.blob(ollama.add()).unlink()
    error = problem(ollama)
    assert isinstance(error, PrerequisiteError)
    assert "missing" in error.what


def test_a_blob_of_another_size_is_refused(ollama: OllamaStore):
    data = ollama.add()
    ollama.blob(data).write_bytes(data[:-1])
    assert f"{len(data) - 1} bytes" in problem(ollama).why


def test_a_folder_where_the_blob_should_be(ollama: OllamaStore):
    blob = ollama.blob(ollama.add())
    blob.unlink()
    blob.mkdir()
    assert isinstance(problem(ollama), TrustError)


def test_a_blob_that_links_out_of_the_store_is_refused(ollama: OllamaStore, tmp_path: Path):
    data = ollama.add()
    blob = ollama.blob(data)
    secret = tmp_path / "secret"
    secret.write_bytes(data)
    blob.unlink()
    blob.symlink_to(secret)
    assert "out of the store" in problem(ollama).what
    blob.unlink()
    blob.symlink_to("nowhere")
    assert isinstance(problem(ollama), TrustError)


def test_a_store_that_is_itself_a_link_is_fine(ollama: OllamaStore, tmp_path: Path):
    ollama.add()
    link = tmp_path / "link"
    link.symlink_to(ollama.root)
    (entry,) = listing.entries(stores.require(str(link)), ["llama"])
    assert entry.error is None


def test_manifests_behind_links_are_not_looked_at(ollama: OllamaStore, tmp_path: Path):
    path = ollama.write("tiny", "1b", [])
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    (ollama.root / "manifests" / "loop").symlink_to(ollama.root / "manifests")
    assert listing.entries([ollama.root]) == []


def test_a_damaged_model_file_is_listed_with_its_reason(ollama: OllamaStore):
    ollama.add(data=b"not a GGUF file at all, but long enough")
    assert isinstance(problem(ollama), TrustError)


def test_a_closed_store_is_said_to_be_closed(monkeypatch: pytest.MonkeyPatch, own_home: Path):
    OllamaStore(own_home / ".ollama" / "models")

    def closed(path: Path) -> bool:
        if path.is_relative_to(own_home):
            raise PermissionError(13, "Permission denied", str(path))
        return False

    monkeypatch.setattr(stores, "_is_store", closed)
    with pytest.raises(PrerequisiteError, match="may not be read") as caught:
        stores.find({})
    assert "--store" in caught.value.next_step


def test_small_layers_are_verified(ollama: OllamaStore):
    layer = manifest.Layer(media_type="x", digest="sha256:" + "a" * 64, size=3)
    (ollama.blobs / f"sha256-{'a' * 64}").write_bytes(b"abc")
    with pytest.raises(TrustError, match="was changed"):
        manifest.content(ollama.root, layer)
    data = b"\xff\xfe"
    ollama.layer("system", data)
    layer = manifest.Layer(
        media_type="x", digest=f"sha256:{hashlib.sha256(data).hexdigest()}", size=2
    )
    with pytest.raises(TrustError, match="not text"):
        manifest.text(ollama.root, layer)
    with (ollama.blobs / f"sha256-{'b' * 64}").open("wb") as stream:
        stream.truncate(1 << 33)
    layer = manifest.Layer(media_type="x", digest="sha256:" + "b" * 64, size=1 << 33)
    with pytest.raises(TrustError, match="too large"):
        manifest.content(ollama.root, layer)
