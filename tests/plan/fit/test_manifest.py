"""Shapes from manifests, checked against headers of the same models."""

from __future__ import annotations

import msgspec
import pytest

from smolpc.catalog import load_catalog
from smolpc.plan import fit
from smolpc.schema.fit import FitSettings
from tests.plan.fit.residuals import devices, synthetic

PAIRS = {
    "qwen2.5-coder-0.5b-instruct-q4_k_m": "qwen2-0.5b-q4_k_m",
    "qwen2.5-coder-1.5b-instruct-q8_0": "qwen2-1.5b-q8_0",
    "qwen2.5-coder-7b-instruct-q4_k_m": "qwen2-7b-q4_k_m",
    "qwen2.5-coder-14b-instruct-q4_k_m": "qwen2-14b-q4_k_m",
}
MODELS = load_catalog().models


@pytest.mark.parametrize(("name", "twin"), PAIRS.items())
def test_a_manifest_gives_nearly_what_the_header_gives(name: str, twin: str) -> None:
    settings = FitSettings(context=8192)
    told = fit.estimate(fit.shape_of_manifest(MODELS[name]), settings, devices(0))
    read = fit.estimate(synthetic()[twin], settings, devices(0))
    assert told.total == pytest.approx(read.total, rel=0.01)
    assert told.devices[0].kv == read.devices[0].kv
    assert told.error > read.error


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_of_the_registry_can_be_sized(name: str) -> None:
    manifest = MODELS[name]
    shape = fit.shape_of_manifest(manifest)
    assert 0.9 * manifest.file.size <= shape.weights <= manifest.file.size
    assert all(0 <= layer.experts <= layer.weights for layer in shape.layers)
    best = fit.best(shape, devices(1))
    assert best.estimate.total > shape.weights * 0.9


def test_without_numbers_an_ordinary_model_is_assumed_and_that_is_said() -> None:
    manifest = msgspec.structs.replace(
        MODELS["qwen2.5-coder-7b-instruct-q4_k_m"], architecture=None
    )
    shape = fit.shape_of_manifest(manifest)
    made = fit.estimate(shape, FitSettings(context=8192), devices(0))
    known = fit.estimate(synthetic()["qwen2-7b-q4_k_m"], FitSettings(context=8192), devices(0))
    assert known.total <= made.total <= 1.5 * known.total
    assert made.error >= 0.2
    assert any("not known" in note for note in made.notes)
