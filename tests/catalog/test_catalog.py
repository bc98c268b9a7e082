"""The catalog: overlays, `extends`, and errors that say where and what."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from smolpc.catalog import load_catalog, resolve_model
from smolpc.catalog.reading import did_you_mean
from smolpc.errors import UsageError
from smolpc.schema.export import texts

ROOT = Path(__file__).parent.parent.parent
Write = Callable[..., Path]


@pytest.fixture
def overlay(tmp_path: Path) -> Write:
    """Writes one profile into an overlay folder and returns the folder."""

    def write(text: str, name: str = "x") -> Path:
        folder = tmp_path / "profiles"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        return folder

    return write


def message(folder: Path) -> str:
    with pytest.raises(UsageError) as caught:
        load_catalog(profile_dirs=[folder]).profiles  # noqa: B018 - read on first use
    assert caught.value.next_step
    return caught.value.what


def test_everything_that_is_shipped_loads() -> None:
    catalog = load_catalog()
    assert len(catalog.profiles) > 25
    assert catalog.engines["llama.cpp"].targets
    assert {"cmake", "ninja"} <= set(catalog.tools)
    for name in catalog.models:
        assert resolve_model(catalog, name).name == name
    assert "steps:" in catalog.pipeline("setup")
    assert catalog.source("profiles", "native").name == "native.yaml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "name: x\nsummary: s\nmatc:\n  os: [linux]\n",
            "x.yaml:3: unknown key 'matc' in 'x'; did you mean 'match'?",
        ),
        (
            "name: x\nsummary: s\nmatch:\n  cpu:\n    featurs: [avx]\n",
            "x.yaml:5: unknown key 'featurs' in 'match.cpu'; did you mean 'features'?",
        ),
        (
            "name: x\nsummary: s\nmatch:\n  os: [linux,\n    widows]\n",
            "x.yaml:5: 'widows' is not allowed for 'match.os.1'; did you mean 'windows'?",
        ),
        (
            "name: x\nsummary: s\nbuild:\n  cpu: [sse42, avx22]\n",
            "x.yaml:4: unknown feature 'avx22' in build.cpu; did you mean 'avx2'?",
        ),
        (
            "name: x\nsummary: s\nbuild: {backends: [cpu, cudda]}\n",
            "x.yaml:3: unknown feature 'cudda' in build.backends; did you mean 'cuda'?",
        ),
        (
            "name: x\nsummary: s\nextends: nativ\n",
            "x.yaml:3: extends unknown profile 'nativ'; did you mean 'native'?",
        ),
        (
            "name: x\nsummary: s\nyields:\n  - to: nativ\n    because: b\n",
            "x.yaml:4: yields to unknown profile 'nativ'; did you mean 'native'?",
        ),
        ("name: x\nsummary: s\nsummary: t\n", "x.yaml:3: the key 'summary' is given twice"),
        ("name: y\nsummary: s\n", "x.yaml:1: the name 'y' differs from the file name"),
        ("name: x\nsummary: s\nextends: x\n", "x.yaml:3: 'extends' goes round in a circle"),
        (
            "name: x\nsummary: s\nmatch:\n  gpu:\n    min_driver: 12.5\n",
            "x.yaml:5: 'match.gpu.min_driver' must be text: put the value in quotes",
        ),
        ("name: x\n", "x.yaml:1: 'x': Object missing required field `summary`"),
        ("- 1\n", "x.yaml:1: must hold 'key: value' lines"),
        ("name: [\n", "x.yaml:2:"),
    ],
)
def test_an_error_names_file_line_key_and_a_hint(overlay: Write, text: str, expected: str) -> None:
    assert expected in message(overlay(text))


def test_a_circle_of_yields_is_an_error(overlay: Write) -> None:
    overlay("name: a\nsummary: s\nyields: [{to: b, because: w}]\n", "a")
    folder = overlay("name: b\nsummary: s\nyields: [{to: a, because: w}]\n", "b")
    assert "'yields' goes round in a circle" in message(folder)


def recipe_with(tmp_path: Path, old: str, new: str) -> str:
    text = (ROOT / "recipes" / "engines" / "llama.cpp.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines" / "llama.cpp.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        load_catalog(recipe_dirs=[tmp_path]).engines  # noqa: B018 - read on first use
    return caught.value.what


def test_a_source_without_a_hash_does_not_load(tmp_path: Path) -> None:
    pin = "    sha256: 6a85ec945b57789c875e1af90e66109fbf136a3c79802d5ca0333b043e10407f\n"
    what = recipe_with(tmp_path, pin, "")
    assert "'sources.2': Object missing required field `sha256`" in what


def test_a_short_commit_does_not_load(tmp_path: Path) -> None:
    pin = "commit: 0c1e57098bba43ac29e6e3b677cdceebdd22334f"
    assert re.search(r"yaml:6: 'commit'", recipe_with(tmp_path, pin, "commit: 0c1e570"))


def test_a_wrong_key_deep_in_a_mapping_is_found(tmp_path: Path) -> None:
    what = recipe_with(tmp_path, "tools: [nvcc]", "tool: [nvcc]")
    assert "unknown key 'tool' in 'features.cuda'; did you mean 'tools'?" in what


def test_an_unquoted_on_is_explained(tmp_path: Path) -> None:
    what = recipe_with(tmp_path, 'GGML_NATIVE: "OFF"', "GGML_NATIVE: OFF")
    assert "'cmake.GGML_NATIVE' must be text: put the value in quotes" in what


def test_extends_merges_mappings_and_replaces_lists(overlay: Write) -> None:
    folder = overlay(
        "name: x\nsummary: mine\nextends: linux-x86_64-sapphirerapids\n"
        "match: {min_memory: 4000000000}\nbuild: {cpu: [sse42]}\n"
    )
    profile = load_catalog(profile_dirs=[folder]).profiles["x"]
    assert (profile.match.os, profile.match.min_memory) == (("linux",), 4_000_000_000)
    assert profile.build.cpu == ("sse42",)
    assert profile.yields == ()  # never inherited


def test_abstract_and_manual_are_not_inherited(overlay: Write) -> None:
    folder = overlay("name: x\nsummary: s\nextends: linux-x86_64\n")
    assert not load_catalog(profile_dirs=[folder]).profiles["x"].abstract


def test_an_overlay_wins_by_name_and_changes_what_extends_it(overlay: Write) -> None:
    folder = overlay(
        "name: cuda\nsummary: ours\nabstract: true\n"
        "match: {gpu: {vendor: [nvidia], min_memory: 6000000000}}\n",
        "cuda",
    )
    catalog = load_catalog(profile_dirs=[folder])
    gpu = catalog.profiles["linux-x86_64-cuda-ada"].match.gpu
    assert gpu is not None
    assert gpu.min_memory == 6_000_000_000
    assert catalog.source("profiles", "cuda").parent == folder


def test_a_missing_overlay_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        load_catalog(profile_dirs=[tmp_path / "nothing"])


def test_an_unknown_model_gets_a_hint() -> None:
    catalog = load_catalog()
    with pytest.raises(UsageError, match="there is no model 'nothing-like-it'") as caught:
        resolve_model(catalog, "nothing-like-it")
    assert f"{len(catalog.models)} that smolpc models.list --all shows" in caught.value.why
    assert "smollm2" not in caught.value.why  # a list of all names would bury the reason
    with pytest.raises(UsageError, match="did you mean 'smollm2:135m'"):
        resolve_model(catalog, "SMOLM2:135M")


@pytest.mark.parametrize(("word", "known"), [("QWEN3:8", "qwen3:8b"), ("qwen3:8", "Qwen3:8B")])
def test_a_hint_ignores_case(word: str, known: str) -> None:
    assert did_you_mean(word, ["other", known]) == f"; did you mean '{known}'?"


def test_the_committed_json_schemas_are_those_of_the_structs() -> None:
    folder = ROOT / "docs" / "schemas"
    assert {path.name for path in folder.iterdir()} == set(texts())
    for name, text in texts().items():
        assert (folder / name).read_text(encoding="utf-8") == text, (
            "run: python -m smolpc.schema.export docs/schemas"
        )
        json.loads(text)


def test_every_yaml_file_names_its_schema_for_editors() -> None:
    for folder in ("profiles", "recipes/engines", "recipes/tools", "recipes/models"):
        for path in (ROOT / folder).glob("*.yaml"):
            first = path.read_text(encoding="utf-8").splitlines()[0]
            _, _, schema = first.partition("yaml-language-server: $schema=")
            assert (path.parent / schema).resolve().is_file(), path


def test_every_feature_and_old_name_is_in_the_mapping_table() -> None:
    text = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
    recipe = load_catalog().engines["llama.cpp"]
    for name, feature in recipe.features.items():
        assert f"`{name}`" in text, name
        assert all(key in text for key in feature.cmake), name


def test_old_option_names_are_not_used() -> None:
    old = re.compile(r"LLAMA_(CUDA|CUBLAS|AVX\w*|METAL|NATIVE|F16C|FMA|VULKAN|CLBLAST|BLAS)\b")
    for folder in ("profiles", "recipes", "smolpc"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".yaml", ".j2"):
                assert not old.search(path.read_text(encoding="utf-8")), path
