"""The promised bounds, against the numbers that the engine itself gave (docs/fit.json)."""

from __future__ import annotations

import pytest

from tests.plan.fit import residuals, shapes

DATA = residuals.stored()
MODELS = list(dict.fromkeys(row.model for row in DATA.rows))


def test_the_shapes_are_those_that_the_engine_was_asked_about() -> None:
    assert {one.name for one in shapes.all_shapes()} <= set(MODELS)
    assert any(name in DATA.shapes for name in MODELS), "a real model is among them"


@pytest.mark.parametrize("model", MODELS)
def test_the_total_is_within_the_promised_bounds(model: str) -> None:
    shape = residuals.shape_of(model, DATA)
    most = residuals.DENSE if shape.dense else residuals.OTHER
    for row in DATA.rows:
        if row.model == model:
            off = residuals.residual(row, shape)
            assert -residuals.UNDER <= off <= most, (row.settings, row.gpus, off)


@pytest.mark.parametrize("model", MODELS)
def test_weights_and_caches_are_exact_on_every_device(model: str) -> None:
    shape = residuals.shape_of(model, DATA)
    for row in DATA.rows:
        if row.model != model:
            continue
        for use in residuals.estimate(row, shape).devices:
            weights, cache, _ = row.engine[use.device]
            # a GPU pads the rows of quantized matrices, a little
            assert weights * 0.998 <= use.weights <= weights * 1.0001, (row.settings, use)
            assert use.kv == pytest.approx(cache, rel=0.001), (row.settings, use)


def test_the_tables_in_the_documentation_are_those_of_the_stored_numbers() -> None:
    text = residuals.TEXT.read_text(encoding="utf-8")
    assert residuals.tables(DATA).strip() in text, "python scripts/fit_residuals.py"
