"""What people type for a model: names, hub files, addresses, paths of every system."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.catalog import load_catalog
from smolpc.errors import UsageError
from smolpc.models import names
from smolpc.models.names import Named, OnDisk, OnHub, OnWeb, parse, resolve
from smolpc.schema.model import FileSource, HttpsSource, HubSource, ModelManifest

CATALOG = load_catalog()
QWEN = "Qwen/Qwen2.5-Coder-7B-Instruct-GGUF"
FILE = "qwen2.5-coder-7b-instruct-q4_k_m.gguf"
OWN_HUB = "https://hub.school.example/hf"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("qwen2.5-coder:7b", Named(name="qwen2.5-coder:7b")),
        ("  smollm2 ", Named(name="smollm2")),
        ("hf:o/r:a.gguf", OnHub(repo="o/r", file="a.gguf")),
        ("HF:o/r:sub/a.GGUF", OnHub(repo="o/r", file="sub/a.GGUF")),
        ("hf:o/r@abc:a.gguf", OnHub(repo="o/r", revision="abc", file="a.gguf")),
        ("hf:o/r@refs/pr/1:a.gguf", OnHub(repo="o/r", revision="refs/pr/1", file="a.gguf")),
        ("hf://o/r/sub/a.gguf", OnHub(repo="o/r", file="sub/a.gguf")),
        ("hf:o/r", OnHub(repo="o/r")),
        ("hf.co/o/r:Q4_K_M", OnHub(repo="o/r", file="Q4_K_M")),
        (
            "https://huggingface.co/o/r/resolve/main/a%20b.gguf?download=true",
            OnHub(repo="o/r", revision="main", file="a b.gguf"),
        ),
        (
            "https://HuggingFace.co/o/r/blob/main/sub/a.gguf",
            OnHub(repo="o/r", revision="main", file="sub/a.gguf"),
        ),
        ("https://huggingface.co/o/r", OnHub(repo="o/r")),
        ("https://huggingface.co/o/r/tree/main", OnHub(repo="o/r")),
        (
            f"{OWN_HUB}/o/r/resolve/v1/a.gguf",
            OnHub(repo="o/r", revision="v1", file="a.gguf"),
        ),
        (f"{OWN_HUB}/o/r", OnHub(repo="o/r")),
        (f"{OWN_HUB}/files/a.gguf", OnWeb(url=f"{OWN_HUB}/files/a.gguf")),
        (f"{OWN_HUB}/a.GGUF", OnWeb(url=f"{OWN_HUB}/a.GGUF")),
        (f"{OWN_HUB}/x/y/z/a.gguf", OnWeb(url=f"{OWN_HUB}/x/y/z/a.gguf")),
        (
            "https://hub.school.example/files/a.gguf#x",
            OnWeb(url="https://hub.school.example/files/a.gguf"),
        ),
        ("http://nas:8080/m/a.gguf", OnWeb(url="http://nas:8080/m/a.gguf")),
        ("https://x.example/a.gguf?sig=1", OnWeb(url="https://x.example/a.gguf?sig=1")),
        ("/srv/Mein Modell/a.gguf", OnDisk(path="/srv/Mein Modell/a.gguf")),
        ("~/a.gguf", OnDisk(path="~/a.gguf")),
        ("./qwen", OnDisk(path="./qwen")),
        ("models/a", OnDisk(path="models/a")),
        ("a b.gguf", OnDisk(path="a b.gguf")),
        ("C:\\Users\\Jörg\\a.gguf", OnDisk(path="C:\\Users\\Jörg\\a.gguf")),
        ("d:/models/a.gguf", OnDisk(path="d:/models/a.gguf")),
        ("..\\a.gguf", OnDisk(path="..\\a.gguf")),
        ("\\\\server\\share\\a.gguf", OnDisk(path="\\\\server\\share\\a.gguf")),
    ],
)
def test_every_form_is_recognised(text: str, meant: names.Reference):
    assert parse(text, endpoint=OWN_HUB) == meant


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no model is named"),
        ("a\nb", "no model is named"),
        ("hf:", "is not a file of a Hugging Face repository"),
        ("hf:only", "is not a file of a Hugging Face repository"),
        ("hf:../r:a.gguf", "is not a file of a Hugging Face repository"),
        ("hf:o/r:../../a.gguf", "is not a file of a Hugging Face repository"),
        ("hf:o/r@-x:a.gguf", "is not a file of a Hugging Face repository"),
        ("hf:o/r:sub/a.bin", "is not a file of a Hugging Face repository"),
        ("https://huggingface.co/datasets/o/r/x", "is not a file of a Hugging Face repository"),
        (
            "https://huggingface.co/o/r/resolve/main/%2e%2e/a.gguf",
            "is not a file of a Hugging Face repository",
        ),
        ("https://x.example/a.zip", "is not the address of a .gguf file"),
        ("ftp://me:geheim@x.example/a.gguf", "smolpc cannot fetch from ftp://"),
        ("s3://bucket/a.gguf", "smolpc cannot fetch from s3://"),
        ("https://", "this is not an address"),
        ("https://[x/a.gguf", "this is not an address"),
        ("https://x:port/a.gguf", "this is not an address"),
    ],
)
def test_what_is_wrong_is_explained(text: str, says: str):
    with pytest.raises(UsageError, match=says) as caught:
        parse(text)
    assert caught.value.next_step
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("text", ["hf:foo", "hf:foo:a.gguf", "hf:/foo", "hf:foo/"])
def test_a_repository_without_an_owner(text: str):
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.why == "a repository is written owner/repo"


@pytest.mark.parametrize(
    "url",
    [
        "https://me:geheim@x.example/a.gguf",
        "https://geheim@x.example/a.gguf",
        "https://:geheim@huggingface.co/o/r/resolve/main/a.gguf",
        "https://me:geheim@x.example:99999/a.gguf",
        "https://x.example/a.zip?token=geheim",
        "https://huggingface.co/o/datasets?token=geheim#geheim",
    ],
)
def test_no_secret_of_an_address_is_repeated(url: str):
    try:
        found = resolve(url, CATALOG)
    except UsageError as error:
        assert "geheim" not in f"{error.what}{error.why}{error.next_step}"
    else:
        raise AssertionError(found)


def test_a_signed_address_is_used_but_not_shown():
    model = resolve("https://x.example/a-Q4_K_M.gguf?sig=geheim", CATALOG)
    assert model.file.sources == (HttpsSource(url="https://x.example/a-Q4_K_M.gguf?sig=geheim"),)
    assert (model.short, model.file.quantization) == ("https://x.example/a-Q4_K_M.gguf", "Q4_K_M")
    with pytest.raises(UsageError) as caught:
        model.sha256  # noqa: B018 - a property that raises
    assert "geheim" not in str(caught.value) + caught.value.next_step


@pytest.mark.parametrize(
    "text",
    [
        f"hf:{QWEN}:{FILE}",
        f"hf:{QWEN.lower()}:{FILE}",
        f"hf:{QWEN}:q4_k_m",
        f"https://huggingface.co/{QWEN}/resolve/13fb94bfda8c8cf22497dc57b78f391a9acb426a/{FILE}",
    ],
)
def test_a_hub_file_that_the_registry_knows_is_pinned(text: str):
    assert resolve(text, CATALOG).name == "qwen2.5-coder-7b-instruct-q4_k_m"


def test_another_revision_of_it_is_not():
    model = resolve(f"hf:{QWEN}@main:{FILE}", CATALOG)
    assert model.file.sha256 is None
    assert model.file.sources == (HubSource(repo=QWEN, revision="main", file=FILE),)


def test_a_repository_without_a_file_says_which_there_are():
    with pytest.raises(UsageError, match="does not say which file") as caught:
        resolve(f"hf:{QWEN}", CATALOG)
    assert "qwen2.5-coder:7b, qwen2.5-coder:7b-q8_0" in caught.value.why
    with pytest.raises(UsageError) as caught:
        resolve("hf:o/r:Q4_K_M", CATALOG)
    assert caught.value.why == "the registry knows no file of that repository"


def test_an_unknown_name_gets_a_hint():
    with pytest.raises(UsageError, match=r"'Qwen2.5-Code:7b'; did you mean 'qwen2.5-coder:7b'\?"):
        resolve("Qwen2.5-Code:7b", CATALOG)


def test_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "Meine Modelle ü"
    folder.mkdir()
    file = folder / "Tiny-Q4_1.gguf"
    file.write_bytes(b"12345")
    model = resolve(str(file), CATALOG)
    assert model.file.sources == (FileSource(path=str(file)),)
    assert (model.file.size, model.file.quantization) == (5, "Q4_1")
    with pytest.raises(UsageError) as caught:
        model.sha256  # noqa: B018 - a property that raises
    assert f'models.pull "{file}" --allow-unpinned' in caught.value.next_step
    monkeypatch.chdir(folder)
    assert resolve("Tiny-Q4_1.gguf", CATALOG).name == model.name  # one file, one pin
    assert resolve("./Tiny-Q4_1.gguf", CATALOG).file == model.file


@pytest.mark.parametrize(
    "text", ["/nowhere/a.gguf", "~nobody-here/a.gguf", "C:\\no\\a.gguf", f"/{'x' * 300}.gguf", "/"]
)
def test_a_path_to_nothing(text: str):
    with pytest.raises(UsageError, match="there is no file") as caught:
        resolve(text, CATALOG)
    assert caught.value.why


def test_a_part_of_a_split_model_is_refused():
    with pytest.raises(UsageError, match="cannot be used"):
        resolve("hf:o/r:big-00001-of-00003.gguf", CATALOG)


@given(st.text(max_size=60) | st.text(alphabet="hf:/o@r.guC\\~ %?#", max_size=40))
def test_any_text_is_a_reference_or_a_usage_error(text: str):
    try:
        found = parse(text, endpoint=OWN_HUB)
    except UsageError as error:
        assert error.next_step
        return
    if isinstance(found, OnHub):
        assert found.repo.count("/") == 1
        assert ".." not in found.file.split("/")


WORD = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,12}", fullmatch=True)


@given(WORD, WORD, WORD, st.sampled_from(["", "@main", "@v1.0"]))
def test_the_forms_of_a_hub_file_mean_the_same(owner: str, repo: str, file: str, revision: str):
    short = parse(f"hf:{owner}/{repo}{revision}:{file}.gguf")
    branch = revision[1:] or "main"
    page = parse(f"https://huggingface.co/{owner}/{repo}/blob/{branch}/{file}.gguf")
    assert isinstance(short, OnHub)
    assert msgspec.structs.replace(short, revision=branch) == page


@given(st.text(alphabet="aB.-_ ü9/", min_size=1, max_size=200), st.text(max_size=5))
def test_an_unpinned_manifest_is_a_valid_one(stem: str, key: str):
    try:
        model = names.unpinned(HttpsSource(url="https://x"), f"{stem}.gguf", "x", key=key)
    except UsageError:
        return
    assert msgspec.convert(msgspec.to_builtins(model), ModelManifest) == model
    assert model.file.sha256 is None
    assert model.file.unverified


@pytest.mark.parametrize(
    ("filename", "quantization"),
    [
        ("qwen2.5-coder-7b-instruct-q4_k_m.gguf", "Q4_K_M"),
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1"),
        ("Model-UD-IQ2_XXS.gguf", "IQ2_XXS"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("model-F16.gguf", "F16"),
        ("qwen3.gguf", ""),
    ],
)
def test_the_quantization_in_a_file_name(filename: str, quantization: str):
    assert names.quantization_in(filename) == quantization
