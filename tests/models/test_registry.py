"""Own models: written so that they are read back as they were; licences that may be pulled."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from smolpc import files, settings
from smolpc.catalog import Catalog, load_catalog, resolve_model
from smolpc.catalog.families import load_families
from smolpc.errors import PrerequisiteError, UsageError
from smolpc.models import licenses, registry
from smolpc.provision.target import catalog_for, model_for
from smolpc.schema.model import (
    Architecture,
    Defaults,
    FileSource,
    HttpsSource,
    HubSource,
    License,
    ModelFile,
    ModelManifest,
    Twin,
    WheelPart,
    WheelPartsSource,
)
from smolpc.settings import Settings
from tests.models.manifests import SHA, manifest

WEB = HttpsSource(url="https://x.example/tiny.gguf")


def catalog() -> Catalog:
    return catalog_for(Settings())


def changed(model: ModelManifest, **changes: object) -> ModelManifest:
    return msgspec.structs.replace(model, **changes)


def test_what_is_written_is_a_model_from_then_on():
    model = changed(manifest(WEB), aliases=("tiny:1b",))
    path = registry.write(model, how="a test")
    assert path == settings.own_recipes() / "models" / "tiny.yaml"
    assert path.read_text().startswith("# Written by smolpc (a test).")
    assert resolve_model(catalog(), "Tiny:1B") == model
    assert registry.is_own(model, catalog())
    assert not registry.is_own(resolve_model(catalog(), "smollm2"), catalog())
    assert model_for(catalog(), Settings(model="tiny")) == model


def test_an_own_folder_is_read_below_the_settings_folder(tmp_path: Path):
    registry.write(manifest(WEB))
    folder = tmp_path / "school" / "models"
    folder.mkdir(parents=True)
    text = registry.folder().joinpath("tiny.yaml").read_text()
    (folder / "tiny.yaml").write_text(text.replace("for tests", "the school's"))
    both = catalog_for(Settings(recipes=str(folder.parent)))
    assert resolve_model(both, "tiny").summary == "the school's"
    assert resolve_model(catalog(), "tiny").summary == "for tests"


TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=30)
NUMBER = st.integers(0, 1 << 50)
WIDTH = st.integers(0, 1 << 26)
SOURCE = st.one_of(
    st.just(WEB),
    st.just(HubSource(repo="O/r", revision="v1", file="sub/a.gguf")),
    st.builds(FileSource, path=TEXT),
    st.just(
        WheelPartsSource(
            parts=(
                WheelPart(
                    project="p", version="1", filename="p.whl", sha256=SHA, size=3, member="m"
                ),
            )
        )
    ),
)
ARCHITECTURE = st.builds(
    Architecture,
    **dict.fromkeys(("embedding", "heads", "kv_heads", "key_length", "value_length"), WIDTH),
    name=TEXT,
    layers=st.integers(0, 4096),
    feed_forward=WIDTH,
    vocabulary=WIDTH,
    tied_output=st.booleans(),
    sliding_window=st.none() | WIDTH,
)
MANIFEST = st.builds(
    ModelManifest,
    name=st.from_regex(r"own-[a-z0-9._-]{0,20}", fullmatch=True),
    aliases=st.lists(
        st.from_regex(r"x[a-z0-9:/._@-]{1,20}", fullmatch=True),
        max_size=3,
        unique_by=lambda alias: alias.replace(":", "-", 1),
    ).map(tuple),
    family=st.from_regex(r"[a-z][a-z0-9.]{0,9}", fullmatch=True),
    summary=TEXT,
    parameters=NUMBER,
    license=st.builds(License, id=TEXT, name=TEXT, commercial=st.sampled_from([True, False, None])),
    purposes=st.sampled_from([("chat",), ("code",), ("code", "chat")]),
    file=st.builds(
        ModelFile,
        filename=st.just("a b.gguf"),
        size=NUMBER,
        sha256=st.just(SHA),
        quantization=TEXT,
        sources=st.lists(SOURCE, min_size=1, max_size=3).map(tuple),
        unverified=TEXT,
    ),
    architecture=st.none() | ARCHITECTURE,
    context_length=NUMBER,
    tested_engines=st.just(()) | st.just(("b11312",)),
    defaults=st.none()
    | st.builds(
        Defaults,
        system=TEXT,
        template=TEXT,
        license_text=TEXT,
        options=st.dictionaries(TEXT, st.booleans() | TEXT | st.just(("stop",))),
    ),
    parent=st.none() | st.just(SHA),
    origin=TEXT,
    twins=st.just(()) | st.just((Twin(origin="ollama", tag="a:b", sha256=SHA),)),
)


@bounded(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(MANIFEST)
def test_every_manifest_is_read_back_as_it_was_written(own_home: Path, model: ModelManifest):
    path = registry.write(model, catalog=BUILT_IN)
    try:
        assert load_families([[path]]).manifests == {model.name: model}
    finally:
        path.unlink()


BUILT_IN = load_catalog()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "smollm2-135m-instruct-q4_1"},
        {"name": "smollm2"},
        {"aliases": ("qwen2.5-coder:7b",)},
        {"aliases": ("Qwen2.5-Coder-7B",)},
    ],
    ids=str,
)
def test_a_name_of_another_model_is_refused(changes: dict[str, object]):
    model = changed(manifest(WEB), **changes)
    with pytest.raises(UsageError, match="is already a name of the model") as caught:
        registry.write(model)
    assert "--force" in caught.value.next_step
    assert not registry.folder().exists()
    registry.write(model, force=True)
    for name in (model.name, *model.aliases):
        assert resolve_model(catalog(), name).sha256 == SHA


def test_the_same_file_may_be_described_anew_but_not_replaced():
    registry.write(manifest(WEB))
    registry.write(changed(manifest(WEB), summary="better"))
    assert resolve_model(catalog(), "tiny").summary == "better"
    with pytest.raises(UsageError, match="is already a name"):
        registry.write(manifest(WEB, data=b"other"))
    assert resolve_model(catalog(), "tiny").sha256 == SHA
    registry.write(manifest(WEB, data=b"other"), force=True)
    assert resolve_model(catalog(), "tiny").sha256 != SHA


def test_a_file_with_other_models_is_never_replaced_or_removed():
    registry.write(manifest(WEB))
    path = registry.folder() / "tiny.yaml"
    text = path.read_text(encoding="utf-8")
    entry = text[text.index("models:\n") + len("models:\n") :]
    by_hand = text + entry.replace("name: tiny", "name: beta").replace("- tiny", "- beta")
    path.write_text(by_hand, encoding="utf-8")
    assert {"tiny", "beta"} <= set(catalog().models)
    for act in (
        lambda: registry.write(manifest(WEB), force=True),
        lambda: registry.forget("tiny", catalog()),
    ):
        with pytest.raises(UsageError, match="declares other models") as caught:
            act()
        assert "beta" in caught.value.why
    assert path.read_text(encoding="utf-8") == by_hand


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "../evil"},
        {"name": "My Model"},
        {"name": ""},
        {"aliases": ("a b",)},
        {"file": msgspec.structs.replace(manifest(WEB).file, filename="../x.gguf")},
        {"file": msgspec.structs.replace(manifest(WEB).file, sources=())},
        {"file": msgspec.structs.replace(manifest(WEB).file, sha256=None)},
        {"file": msgspec.structs.replace(manifest(WEB).file, sha256="abc")},
    ],
    ids=str,
)
def test_what_could_not_be_read_back_is_not_written(bad: dict[str, object]):
    with pytest.raises(UsageError, match="cannot be declared"):
        registry.write(changed(manifest(WEB), **bad))
    assert files.walk(settings.own_recipes()) == []


def test_a_password_is_not_written_and_not_shown():
    secret = HttpsSource(url="https://me:geheim@x.example/a.gguf")
    with pytest.raises(UsageError) as caught:
        registry.write(manifest(secret))
    assert "geheim" not in f"{caught.value.what}{caught.value.why}{caught.value.next_step}"


def test_a_line_break_in_the_origin_does_not_leave_the_comment():
    path = registry.write(changed(manifest(WEB), origin="x\nname: evil\n"))
    assert path.read_text().splitlines()[1] == "name: tiny"


def test_a_folder_that_may_not_be_written_is_explained(own_home: Path):
    folder = settings.own_recipes()
    folder.parent.mkdir(parents=True)
    folder.write_text("a file is in the way")
    with pytest.raises(PrerequisiteError, match="cannot declare a model"):
        registry.write(manifest(WEB), catalog=BUILT_IN)


def test_forget():
    path = registry.write(changed(manifest(WEB), aliases=("tiny:1b",)))
    assert registry.forget("tiny:1b", catalog()) == path
    assert not path.exists()
    for name in ("tiny", "smollm2", "nothing"):
        with pytest.raises(UsageError, match="is not one of your own models"):
            registry.forget(name, catalog())


def test_licences_that_may_be_pulled():
    three = resolve_model(BUILT_IN, "qwen2.5-coder:3b")
    registry.require_licence(three, "")
    registry.require_licence(three, "MIT  licenseref-qwen-research")
    with pytest.raises(
        UsageError, match=r"qwen2\.5-coder:3b is not allowed here: LicenseRef-Qwen"
    ) as e:
        registry.require_licence(three, "Apache-2.0 MIT")
    assert e.value.why == "the setting 'licenses' allows: Apache-2.0 MIT"


def test_notes_about_licences():
    assert "is not for commercial use" in registry.licence_note(
        resolve_model(BUILT_IN, "qwen2.5-coder:3b")
    )
    assert "has conditions of use" in registry.licence_note(resolve_model(BUILT_IN, "gemma3"))
    assert registry.licence_note(resolve_model(BUILT_IN, "smollm2")) == ""
    unknown = changed(manifest(), license=License(id=licenses.UNKNOWN))
    assert "is not known" in registry.licence_note(unknown)
