"""`smolpc models.estimate`, as a user sees it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from smolpc import detect
from smolpc.schema.fit_report import EstimateReport
from tests.cli.test_commands import run
from tests.machines import hosts
from tests.plan.fit import shapes


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOLPC_OFFLINE", "1")
    recorded = hosts()["laptop-ultra9-rtx4050-windows11"]
    monkeypatch.setattr(detect, "host", lambda **_: recorded)


def test_a_model_of_the_registry(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models.estimate", "qwen2.5-coder:7b") == 0
    text = capsys.readouterr().out
    for word in ("CPU", "CUDA0", "weights", "needs", "fits", "trained for 32768", "manifest"):
        assert word in text


def test_json_is_the_documented_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models.estimate", "qwen2.5-coder:14b", "--ctx", "8192", "--json") == 0
    report = msgspec.json.decode(capsys.readouterr().out, type=EstimateReport)
    assert report.choice.estimate.settings.context == 8192
    assert report.sized_from == "manifest"


def test_a_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = shapes.dense("tiny", "qwen2", shapes.Dims(3, 256, 4, 2, 512, 1000, 64), "Q4_0")
    path = shapes.write(model, tmp_path / "Modell ü.gguf")
    assert run("models.estimate", str(path), "--gpu-layers", "2", "--batch", "64") == 0
    text = capsys.readouterr().out
    assert "the header of the file on this machine" in text
    assert "batch 64, GPU layers 2" in text


def test_a_wrong_number_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models.estimate", "qwen2.5-coder:7b", "--ctx", "999999") == 2
    assert "trained for 32768" in capsys.readouterr().err
    assert run("models.estimate", "qwen2.5-coder:7b", "--gpu-layers", "-5") == 2
    assert "--gpu-layers cannot be -5" in capsys.readouterr().err


def test_where_the_numbers_come_from_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models.estimate", "qwen2.5-coder:7b") == 0
    assert capsys.readouterr().out.count("manifest") == 1
