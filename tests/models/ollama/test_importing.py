"""From Ollama's model to a manifest, and why some cannot be used."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from smolpc.catalog import load_catalog
from smolpc.errors import TrustError
from smolpc.models.ollama import forms, importing, listing, names
from smolpc.models.ollama.importing import Described
from smolpc.schema.model import ModelManifest, Twin
from tests.gguf import build as g
from tests.models.manifests import manifest
from tests.models.ollama.store import APACHE, PREFIX, TEMPLATE, WEIGHTS, OllamaStore, model

KNOWN = ("llama", "gemma3", "bert", "qwen2vl", "gpt-oss")
VISION = [*WEIGHTS, ("v.blk.0.attn_q.weight", (64, 64), g.F16)]


@pytest.fixture
def ollama(tmp_path: Path) -> OllamaStore:
    return OllamaStore(tmp_path / "models")


def described(ollama: OllamaStore, name: str = "tiny:1b", *known: ModelManifest) -> Described:
    entry = listing.find(listing.entries([ollama.root], KNOWN), name)
    assert entry.header and entry.path, entry.error
    return importing.describe_entry(
        entry, entry.header, entry.path, {one.name: one for one in known}
    )


def test_everything_is_carried_over(ollama: OllamaStore):
    params = {"temperature": 0.6, "stop": ["<|a|>", "<|b|>"], "num_ctx": 2048, "x": True}
    data = ollama.add(system="Be brief.", params=params)
    found = described(ollama)
    made = found.manifest
    assert found.new
    assert found.notes == ()
    assert made.name == "tiny-1b"
    assert made.aliases == ("tiny:1b",)
    assert made.family == "tiny"
    assert made.parameters == 64 * 32 + 64 * 64
    assert made.context_length == 4096
    assert made.license.id == "Apache-2.0"
    assert made.origin == "imported from Ollama (tiny:1b)"
    assert made.file.sha256 == hashlib.sha256(data).hexdigest()
    assert (made.file.size, made.file.quantization) == (len(data), "Q4_0")
    assert made.architecture is not None
    assert (made.architecture.layers, made.architecture.kv_heads) == (1, 2)
    assert made.architecture.vocabulary == 100
    brought = made.defaults
    assert brought is not None
    assert (brought.system, brought.template) == ("Be brief.", TEMPLATE)
    assert brought.license_text == APACHE
    assert brought.options == {**params, "stop": ("<|a|>", "<|b|>")}


def test_without_a_licence_text_the_header_speaks(ollama: OllamaStore):
    ollama.add(license="")
    assert described(ollama).manifest.license.id == "MIT"


def test_parameters_of_odd_kinds_are_left_out_and_said(ollama: OllamaStore):
    params: dict[str, Any] = {"deep": {"a": 1}, "nothing": None, "mixed": [1, "a"], "top_k": 5}
    ollama.add(params=params)
    ollama.add("other", params="not json")
    ollama.add("many", params={f"p{number}": number for number in range(150)})
    found = described(ollama)
    assert found.manifest.defaults and found.manifest.defaults.options == {"top_k": 5}
    assert len(found.notes) == 3
    assert "could not be read" in described(ollama, "other:1b").notes[0]
    many = described(ollama, "many:1b")
    assert many.manifest.defaults and len(many.manifest.defaults.options) == 100
    assert "100 of its 150" in many.notes[0]


def test_what_is_not_imported_is_said(ollama: OllamaStore):
    ollama.add(projector="x", messages=[{"role": "user", "content": "hi"}])
    assert len(described(ollama).notes) == 2


def test_a_changed_small_layer_is_refused(ollama: OllamaStore):
    ollama.add(system="Be brief.")
    ollama.blob(b"Be brief.").write_bytes(b"Be cruel.")
    with pytest.raises(TrustError, match="was changed"):
        described(ollama)


def test_a_file_that_the_registry_knows_keeps_the_registrys_name(ollama: OllamaStore):
    data = ollama.add()
    official = manifest(name="official-q4_0", data=data)
    found = described(ollama, "tiny:1b", official)
    assert (found.manifest, found.new) == (official, False)


def test_ollamas_own_file_of_a_known_model_takes_its_facts(ollama: OllamaStore):
    digest = hashlib.sha256(ollama.add()).hexdigest()
    twin = Twin(origin="ollama", tag="tiny:1b", sha256=digest)
    official = replace(
        manifest(name="official-q4_0"), twins=(twin,), context_length=777, purposes=("code",)
    )
    found = described(ollama, "tiny:1b", official)
    assert found.new
    assert found.manifest.sha256 == digest
    assert (found.manifest.context_length, found.manifest.purposes) == (777, ("code",))
    assert importing.upstream(names.parse("any:thing"), digest, {"x": official}) == official


def test_a_name_that_means_another_model_is_not_taken(ollama: OllamaStore):
    ollama.add()
    official = replace(manifest(name="official"), aliases=("tiny:1b",))
    made = described(ollama, "tiny:1b", official).manifest
    assert made.name == "ollama-tiny-1b"
    assert made.aliases == ()
    second = replace(manifest(name="second"), aliases=("ollama-tiny-1b",))
    assert described(ollama, "tiny:1b", official, second).manifest.name.startswith(
        f"ollama-tiny-1b-{made.sha256[:8]}"
    )


def test_importing_again_changes_nothing_and_an_update_replaces(ollama: OllamaStore):
    ollama.add()
    first = described(ollama).manifest
    assert not described(ollama, "tiny:1b", first).new
    ollama.add(data=model(("general.version", "2")))
    updated = described(ollama, "tiny:1b", first)
    assert updated.new
    assert updated.manifest.name == first.name
    assert updated.manifest.sha256 != first.sha256


def test_two_names_for_one_file_are_two_models(ollama: OllamaStore):
    ollama.add(system="Be brief.")
    first = described(ollama).manifest
    ollama.add("pirate", "latest", system="Talk like a pirate.")
    second = described(ollama, "pirate", first)
    assert second.new
    assert second.manifest.name == "pirate"
    assert second.manifest.aliases == ("pirate:latest", "pirate")
    assert second.manifest.defaults and "pirate" in second.manifest.defaults.system


def test_the_upstream_file_is_found_by_name():
    known = load_catalog().models
    digest = "0" * 64
    found = importing.upstream(names.parse("qwen2.5-coder:7b-instruct-q4_K_M"), digest, known)
    assert found is not None
    assert found.name == "qwen2.5-coder-7b-instruct-q4_k_m"
    assert importing.upstream(names.parse("unheard-of:7b"), digest, known) is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (model(arch="gptoss"), "Ollama's own form of 'gpt-oss'"),
        (model(arch="mllama"), "only Ollama's engine reads"),
        (model(arch="unheard"), "does not know the architecture 'unheard'"),
        (model(arch="gemma3", tensors=VISION), "1 tensors"),
        (model(("gemma3.vision.block_count", 27), arch="gemma3"), "inside the file"),
        (model(("bert.pooling_type", 1), arch="bert"), "embedding model"),
        (g.build([("general.name", "x")], g.placed(WEIGHTS)), "does not name an architecture"),
        (model(arch="llama"), ""),
        (model(("llama.pooling_type", 0)), ""),
        (model(arch="gemma3"), ""),
    ],
)
def test_what_the_engine_cannot_load_is_told_from_the_header(
    ollama: OllamaStore, data: bytes, says: str
):
    ollama.add(data=data)
    (entry,) = listing.entries([ollama.root], KNOWN)
    assert entry.error is None
    assert says in entry.obstacle
    assert bool(says) == bool(entry.obstacle)


def test_what_has_no_single_model_file(ollama: OllamaStore):
    one, two = ollama.layer("model", model()), ollama.layer("model", model(("x", 1)))
    ollama.write("cloud", "latest", [])
    ollama.write("lora", "latest", [one, ollama.layer("adapter", b"x")])
    ollama.write("mlx", "latest", [ollama.layer("tensor", b"x")])
    ollama.write("two", "latest", [one, two])
    found = {str(entry.name): entry.obstacle for entry in listing.entries([ollama.root], KNOWN)}
    assert "Ollama's servers" in found["cloud:latest"]
    assert "adapter" in found["lora:latest"]
    assert "MLX" in found["mlx:latest"]
    assert "2 model files" in found["two:latest"]


def test_own_names_are_of_architectures_the_pinned_engine_lacks():
    known = load_catalog().engine("llama.cpp").architectures
    assert not set(forms.OWN_NAMES) & set(known)
    assert {name for name in forms.OWN_NAMES.values() if name} <= set(known)
    assert not [name for name in known if " " in name]


def test_media_types_of_others_are_ignored(ollama: OllamaStore):
    layers = [ollama.layer("model", model())]
    layers.append({**ollama.layer("x", b"y"), "mediaType": "text/" + PREFIX + "model"})
    ollama.write("tiny", "1b", layers)
    (entry,) = listing.entries([ollama.root], KNOWN)
    assert (entry.error, entry.obstacle) == (None, "")
