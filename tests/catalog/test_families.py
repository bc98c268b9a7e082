"""Model families: the shipped ones hold together, names are unique, errors say where."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.catalog import Catalog, load_catalog, resolve_model
from smolpc.catalog.families import file_name_problem, hub_problem, key_of
from smolpc.errors import UsageError
from smolpc.schema.model import Architecture, HubSource, ModelManifest

CATALOG = load_catalog()
MODELS = CATALOG.models
SHIPPED = list(MODELS.values())
HEX = "0123456789abcdef" * 4
# Bits for each weight that a quantization takes: at least, and at most with the tensors it
# keeps more exactly. Source: block sizes in ggml-common.h.
BITS = {
    "Q4_0": (4.5, 5.4),
    "Q4_1": (5.0, 5.9),
    "Q4_K_M": (4.3, 6.5),
    "Q6_K": (6.56, 6.6),
    "Q8_0": (8.5, 8.51),
    "MXFP4": (4.25, 4.7),
}
SCALES = 34 / 32  # bytes a weight of Q8_0: 32 weights of one byte, and a scale of two


def matrices(a: Architecture) -> int:
    """Weights of all matrices but the embedding, of all layers."""
    attention = a.embedding * (
        a.heads * a.key_length
        + a.kv_heads * (a.key_length + a.value_length)
        + a.heads * a.value_length
    )
    experts = a.experts or 0
    wide = (a.expert_feed_forward or 0) * experts if experts else a.feed_forward
    return a.layers * (attention + 3 * a.embedding * wide + a.embedding * experts)


def vectors(a: Architecture) -> int:
    """Norms and biases of all layers, by architecture."""
    heads, kv, experts = a.heads * a.key_length, a.kv_heads * a.key_length, a.experts or 0
    own = {
        "qwen2": heads + 2 * kv,
        "qwen3": 2 * a.key_length,
        "qwen3moe": 2 * a.key_length,
        "gemma3": 2 * a.key_length + 2 * a.embedding,
        "gpt-oss": heads
        + 2 * kv
        + a.embedding
        + a.heads
        + experts
        + experts * (2 * (a.expert_feed_forward or 0) + a.embedding),
    }
    return a.layers * (2 * a.embedding + own.get(a.name, 0)) + a.embedding


def described(models: list[ModelManifest]) -> list[tuple[ModelManifest, Architecture]]:
    return [(one, one.architecture) for one in models if one.architecture is not None]


@pytest.mark.parametrize("pair", described(SHIPPED), ids=lambda pair: pair[0].name)
def test_the_architecture_explains_every_parameter(pair: tuple[ModelManifest, Architecture]):
    model, a = pair
    embedding = a.vocabulary * a.embedding
    counted = matrices(a) + vectors(a) + embedding
    # The original may tie the output to the embedding though the file holds both.
    assert model.parameters in ((counted,) if a.tied_output else (counted, counted + embedding))


@pytest.mark.parametrize("pair", described(SHIPPED), ids=lambda pair: pair[0].name)
def test_the_size_is_what_the_quantization_takes(pair: tuple[ModelManifest, Architecture]):
    model, a = pair
    weights = matrices(a) + a.vocabulary * a.embedding * (1 if a.tied_output else 2)
    least, most = BITS[model.file.quantization]
    header = 10_000_000  # bytes: vocabulary and merges are 2 to 8 MB
    assert least * weights / 8 < model.file.size < most * weights / 8 + header
    if model.file.quantization == "Q8_0":
        rest = model.file.size - weights * SCALES - 4 * vectors(a)
        assert 1_000_000 < rest < 8_000_000  # the header


@pytest.mark.parametrize("model", SHIPPED, ids=lambda model: model.name)
def test_a_shipped_model_can_be_fetched_and_judged(model: ModelManifest):
    assert model.file.sources
    assert model.file.sha256 or model.file.unverified
    assert model.license.id and model.license.url.startswith("https://")
    assert 0 < len(model.summary) <= 90
    assert 0 < model.context_length <= 1 << 20
    assert file_name_problem(model.file.filename) == ""
    for source in model.file.sources:
        if isinstance(source, HubSource):
            assert source.file.endswith(model.file.filename)
            pinned = re.fullmatch(r"[0-9a-f]{40}", source.revision)
            assert pinned or (model.file.sha256 and not model.file.unverified)


def test_digests_are_of_one_file_each():
    digests = [one.file.sha256 for one in SHIPPED if one.file.sha256]
    assert len(set(digests)) == len(digests) > 30
    for model in SHIPPED:
        for twin in model.twins:
            assert twin.sha256 == model.file.sha256 or twin.sha256 not in digests


def test_every_name_means_one_model():
    spelled = [
        (key_of(name), model.name) for model in SHIPPED for name in (model.name, *model.aliases)
    ]
    assert len({key for key, _ in spelled}) == len(set(spelled))
    assert len(spelled) > 150


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("qwen2.5-coder:7b", "qwen2.5-coder-7b-instruct-q4_k_m"),
        ("Qwen2.5-Coder:7B", "qwen2.5-coder-7b-instruct-q4_k_m"),
        (" qwen2.5-coder ", "qwen2.5-coder-7b-instruct-q4_k_m"),
        ("qwen2.5-coder:latest", "qwen2.5-coder-7b-instruct-q4_k_m"),
        ("qwen2.5-coder:7b-instruct-q4_K_M", "qwen2.5-coder-7b-instruct-q4_k_m"),
        ("qwen2.5-coder-7b-instruct", "qwen2.5-coder-7b-instruct-q4_k_m"),
        ("qwen2.5-coder:7b-q8_0", "qwen2.5-coder-7b-instruct-q8_0"),
        ("qwen2.5-coder:0.5b-q8_0", "qwen2.5-coder-0.5b-instruct-q8_0"),
        ("smollm2", "smollm2-135m-instruct-q4_1"),
        ("smollm2-135m", "smollm2-135m-instruct-q4_1"),
        ("smollm2-135m-instruct", "smollm2-135m-instruct-q4_1"),
        ("llama3.2", "llama-3.2-3b-instruct-q4_k_m"),
        ("llama-3.2:1b", "llama-3.2-1b-instruct-q4_k_m"),
        ("gemma3:270m", "gemma-3-270m-it-q8_0"),
        ("granite4:micro", "granite-4.0-micro-q4_k_m"),
        ("gpt-oss", "gpt-oss-20b-mxfp4"),
    ],
)
def test_names_as_people_type_them(typed: str, name: str):
    assert resolve_model(load_catalog(), typed).name == name


@given(st.sampled_from(SHIPPED), st.data())
def test_case_and_colon_do_not_matter(model: ModelManifest, data: st.DataObject):
    name = data.draw(st.sampled_from([model.name, *model.aliases]))
    typed = "".join(letter.upper() if data.draw(st.booleans()) else letter for letter in name)
    if data.draw(st.booleans()):
        typed = typed.replace(":", "-", 1)
    assert resolve_model(CATALOG, typed) == model


def test_the_licence_of_one_size_is_not_that_of_its_family():
    three = resolve_model(CATALOG, "qwen2.5-coder:3b")
    assert (three.license.id, three.license.commercial) == ("LicenseRef-Qwen-Research", False)
    assert resolve_model(CATALOG, "qwen2.5-coder:7b").license.id == "Apache-2.0"


def test_ollamas_copies_are_known_by_their_digest():
    twins = {twin.tag: twin for model in SHIPPED for twin in model.twins}
    assert (
        twins["qwen2.5-coder:7b"].size - MODELS["qwen2.5-coder-7b-instruct-q4_k_m"].file.size == 512
    )
    assert len(twins) == 7


def test_one_model_is_what_setup_takes():
    assert [one.name for one in SHIPPED if one.default] == ["smollm2-135m-instruct-q4_1"]


# --- overlays -----------------------------------------------------------------------------

GOOD = f"""\
name: mine
license: {{id: MIT}}
models:
  - name: mine-1b
    tags: [1b]
    summary: s
    parameters: 1000
    context_length: 2048
    files:
      - quantization: Q4_K_M
        filename: mine.gguf
        size: 5
        sha256: {HEX}
        sources:
          - kind: https
            url: https://example.org/mine.gguf
"""
WRONG_SOURCE = "mine.yaml:14: a source of mine.gguf is wrong"
Write = Callable[..., Path]


@pytest.fixture
def overlay(tmp_path: Path) -> Write:
    """Writes a family into a recipes folder and returns the folder."""

    def write(text: str, name: str = "mine", folder: str = "recipes ä") -> Path:
        models = tmp_path / folder / "models"
        models.mkdir(parents=True, exist_ok=True)
        (models / f"{name}.yaml").write_text(text, encoding="utf-8")
        return models.parent

    return write


def with_overlays(*folders: Path) -> Catalog:
    return load_catalog(recipe_dirs=folders)


def test_an_overlay_adds_a_family(overlay: Write):
    catalog = with_overlays(overlay(GOOD))
    assert resolve_model(catalog, "mine:1b").name == "mine-1b-q4_k_m"
    assert catalog.source("models", "mine-1b-q4_k_m").name == "mine.yaml"
    assert list(catalog.models)[-1] == "mine-1b-q4_k_m"


def test_a_later_folder_wins_by_file_and_by_name(overlay: Write):
    own = overlay(GOOD.replace("mine", "qwen3"), "qwen3")
    catalog = with_overlays(own)
    assert resolve_model(catalog, "qwen3:1b").file.size == 5
    with pytest.raises(UsageError):
        resolve_model(catalog, "qwen3:8b")  # the file is replaced, not merged
    taken = GOOD.replace(
        "- quantization", "- aliases: [smollm2, 'qwen2.5-coder:7b']\n        quantization"
    )
    catalog = with_overlays(overlay(taken, folder="other"))
    assert resolve_model(catalog, "smollm2").name == "mine-1b-q4_k_m"
    assert resolve_model(catalog, "smollm2:135m").name == "smollm2-135m-instruct-q4_1"
    same = GOOD.replace(
        "- quantization", "- name: smollm2-135m-instruct-q4_1\n        quantization"
    )
    catalog = with_overlays(overlay(same, folder="third"))
    assert resolve_model(catalog, "smollm2:latest").family == "mine"


def problem(folder: Path) -> str:
    with pytest.raises(UsageError) as caught:
        with_overlays(folder).models  # noqa: B018 - read on first use
    assert caught.value.next_step.startswith("edit ")
    return caught.value.what


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (f"        sha256: {HEX}\n", "", "mine.yaml:11: the file mine.gguf has no sha256"),
        (
            f"sha256: {HEX}",
            f"sha256: {HEX}\n        chunks: {{size: 65536, sha256: [{HEX}, {HEX}]}}",
            "mine.yaml:14: the chunks of mine.gguf do not add up to its size",
        ),
        (HEX, HEX[:-1], "mine.yaml:13: 'models.0.files.0.sha256'"),
        (HEX, HEX.upper(), "mine.yaml:13: 'models.0.files.0.sha256'"),
        ("mine.gguf\n        size", "../mine.gguf\n        size", "mine.yaml:11: "),
        ("mine.gguf\n        size", "record.json\n        size", "mine.yaml:11: "),
        ("mine.gguf\n        size", '"a\\nb.gguf"\n        size', "mine.yaml:11: "),
        ("size: 5", "size: -5", "mine.yaml:12: 'models.0.files.0.size'"),
        ("size: 5", "size: 1e400", "mine.yaml:12: "),
        ("parameters: 1000", "paramters: 1000", "did you mean 'parameters'?"),
        (
            "name: mine\n",
            "name: mine\ndefault_tag: 1bb\n",
            "mine.yaml:2: 'default_tag' names no model: '1bb'; did you mean '1b'?",
        ),
        (
            "context_length: ",
            "draft: tiny\n    context_length: ",
            "'draft' of mine-1b-q4_k_m names no model: 'tiny'",
        ),
        ("license: {id: MIT}\n", "", "mine.yaml:3: mine-1b has no license"),
        (
            "https://example.org",
            "ftp://example.org",
            WRONG_SOURCE,
        ),
        ("https://example.org", "https://[", WRONG_SOURCE),
        (
            "https://example.org",
            "https://u:geheim@example.org",
            WRONG_SOURCE,
        ),
        (
            "kind: https",
            "kind: htps",
            "mine.yaml:15: 'htps' is not allowed",
        ),
        ("kind: https", "kind: htps", "did you mean 'https'? (allowed: pypi-wheel, "),
        ("tags: [1b]", "tags: ['1 b']", "mine.yaml:5: 'models.0.tags.0'"),
        (
            "name: mine\n",
            "name: other\n",
            "mine.yaml:1: the name 'other' differs from the file name",
        ),
    ],
)
def test_a_wrong_file_is_explained_with_its_line(overlay: Write, old: str, new: str, says: str):
    assert GOOD.count(old) >= 1
    said = problem(overlay(GOOD.replace(old, new, 1)))
    assert says in said
    assert "geheim" not in said


BOMB = "name: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "name: " + "[" * 100_000,
        "name: " + "{a: " * 5_000,
        BOMB,
        "name: &x [*x]\nmodels: *x\n",
        "name: !!python/object/apply:os.getcwd []\n",
        "? [a, b]\n: c\n",
        "name: mine\nmodels: 2020-01-01\n",
        GOOD.replace("size: 5", f"size: {10**40}"),
        GOOD.replace("size: 5", "size: .inf"),
        GOOD.replace("parameters: 1000", "parameters: true"),
        GOOD.replace("sources:", "sources: &s\n          - *s\n         #"),
    ],
    ids=lambda text: text[:20],
)
def test_a_hostile_file_is_refused_with_its_name(overlay: Write, text: str):
    assert "mine.yaml" in problem(overlay(text))


def test_no_sources_and_no_files(overlay: Write):
    text = GOOD[: GOOD.index("        sources:")]
    assert "mine.yaml:14: the file mine.gguf has no sources" in problem(
        overlay(text + "        sources: []\n")
    )
    text = GOOD[: GOOD.index("    files:")]
    assert "mine.yaml:9: mine-1b has no files" in problem(overlay(text + "    files: []\n"))


def test_one_name_for_two_models_is_an_error(overlay: Write):
    overlay(GOOD)
    second = GOOD.replace("mine", "your")
    folder = overlay(
        second.replace("quantization", "aliases: [mine-1b]\n        quantization"), "your"
    )
    assert "your.yaml:10: 'mine-1b' is already a name of the model mine-1b-q4_k_m" in problem(
        folder
    )


def test_unverified_stands_in_for_a_digest(overlay: Write):
    text = GOOD.replace(f"sha256: {HEX}", "unverified: nobody published it")
    model = resolve_model(with_overlays(overlay(text)), "mine:1b")
    assert model.file.sha256 is None
    with pytest.raises(
        UsageError, match="digest of the model mine-1b-q4_k_m is not known"
    ) as caught:
        model.sha256  # noqa: B018 - a property that raises
    assert "models.pull mine:1b --allow-unpinned" in caught.value.next_step


@given(st.text(max_size=40))
def test_a_file_name_is_accepted_only_when_it_is_plain(text: str):
    if file_name_problem(text) == "":
        assert Path(text).name == text
        assert not {"/", "\\", ":", "\0", "\n"} & set(text)
        assert text.lower().endswith(".gguf")


@given(st.text(alphabet="ab./@:%\\-_ ", max_size=20), st.text(alphabet="ab./\\ %", max_size=20))
def test_a_hub_file_never_leaves_its_repository(repo: str, file: str):
    if hub_problem(repo, "main", f"{file}x.gguf") == "":
        assert repo.count("/") == 1
        assert ".." not in repo.split("/")
        assert not {"", ".", ".."} & set(f"{file}x.gguf".split("/"))
