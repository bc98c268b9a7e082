"""Estimates against what the real engine says it takes (llama-fit-params)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from smolpc.models.headers import header_of
from smolpc.net import NetSettings
from smolpc.plan import fit
from smolpc.schema.fit import Estimate, FitSettings
from tests.integration.conftest import Provisioned, environment
from tests.plan.fit import residuals, shapes

pytestmark = pytest.mark.integration

MIB = 1 << 20
SETTINGS = (
    FitSettings(context=4096, flash="on"),
    FitSettings(context=16384, flash="off"),
    FitSettings(context=16384, flash="on", kv_type="q8_0", ubatch=128),
)
SYNTHETIC = ("qwen2-7b-q4_k_m", "gpt-oss-20b-mxfp4", "deepseek2-lite-q4_k_m")


def asked(program: Path, model: Path, settings: FitSettings) -> tuple[int, int, int]:
    """(weights, context, compute) in MiB on the host, as the engine prints them."""
    options = {
        "-m": model,
        "-c": settings.context,
        "-b": settings.batch,
        "-ub": settings.ubatch,
        "-fa": settings.flash,
        "-ctk": settings.kv_type,
        "-ctv": settings.kv_type,
        "--fit-print": "on",
    }
    words = [str(word) for pair in options.items() for word in pair]
    done = subprocess.run(
        [str(program), *words, "--no-repack"],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("Host "))
    weights, context, compute = map(int, line.split()[1:])
    return weights, context, compute


def compare(made: Estimate, told: tuple[int, int, int], most: float) -> None:
    (use,) = made.devices
    weights, context, compute = told
    assert use.weights / MIB == pytest.approx(weights, abs=1)
    assert use.kv / MIB == pytest.approx(context, abs=1)
    mine = (use.weights + use.kv + use.compute) / MIB
    # the engine rounds each of the three down to whole MiB
    assert mine / (weights + context + compute + 3) - 1 >= -residuals.UNDER
    assert mine / (weights + context + compute) - 1 <= most


def program_of(provisioned: Provisioned) -> Path:
    return next((provisioned.artifact / "bin").glob("llama-fit-params*"))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_real_model(provisioned: Provisioned, settings: FitSettings) -> None:
    shape = fit.shape_of(header_of(provisioned.model, NetSettings(offline=True)))
    made = fit.estimate(shape, settings, residuals.devices(0))
    told = asked(program_of(provisioned), provisioned.model, settings)
    compare(made, told, residuals.DENSE)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("name", SYNTHETIC)
def test_shapes_of_large_models(
    provisioned: Provisioned, tmp_path: Path, name: str, settings: FitSettings
) -> None:
    made = next(one for one in shapes.all_shapes() if one.name == name)
    path = shapes.write(made, tmp_path / "model ü.gguf")
    assert path.stat().st_blocks * 512 < MIB, "the file is sparse"
    shape = fit.shape_of(header_of(path, NetSettings(offline=True)))
    most = residuals.DENSE if shape.dense else residuals.OTHER
    told = asked(program_of(provisioned), path, settings)
    compare(fit.estimate(shape, settings, residuals.devices(0)), told, most)


def test_the_command(provisioned: Provisioned) -> None:
    from tests.integration.conftest import run_smolpc

    env = {**provisioned.env, "SMOLPC_OFFLINE": "1"}
    done = run_smolpc("models.estimate", "smollm2", env=env)
    assert done.returncode == 0, done.stderr
    assert "sized from the header of the file on this machine" in done.stdout
