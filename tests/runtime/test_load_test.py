"""The load test's verdict: only numbers that make sense count as passed."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from pytest_subprocess import FakeProcess

from smolpc.runtime import load_test
from smolpc.runtime.probe import Loaded, Report
from smolpc.runtime.trust_child import MARKER, spread
from tests.runtime.test_trust import CPU, artifact

MODEL = Loaded(
    description="llama 1B Q4_0",
    parameters=1_235_000_000,
    bytes=700_000_000,
    context_length=8192,
    vocabulary=100,
    steps=(20.5, 18.0),
)
GOOD = Report(error="", devices=(CPU,), model=MODEL)


def changed(**changes: object) -> Report:
    return msgspec.structs.replace(GOOD, model=msgspec.structs.replace(MODEL, **changes))


def test_a_model_that_computes_passes_and_is_described():
    result = load_test.judge(GOOD)
    assert result.verdict == "passed"
    assert result.checks["model"] == (
        "llama 1B Q4_0, 1235 M parameters, 700.0 MB, trained for 8192 tokens"
    )
    assert result.devices == ("CPU (a CPU)",)


@pytest.mark.parametrize(
    ("found", "verdict", "says"),
    [
        (changed(steps=()), "failed", "cannot generate text"),
        (changed(steps=(20.0, None)), "failed", "not numbers"),
        (changed(steps=(0.0, 0.0)), "failed", "equally likely"),
        (Report(error="unknown architecture"), "failed", "unknown architecture"),
        (Report(error=""), "inconclusive", "told nothing"),
    ],
)
def test_everything_else_does_not(found: Report, verdict: str, says: str):
    result = load_test.judge(found)
    assert result.verdict == verdict
    assert says in result.error


@pytest.mark.parametrize(
    ("logits", "wanted"),
    [
        ([1.0, -2.0, 0.0], 3.0),
        ([1.0, float("nan")], None),
        ([float("inf"), 1.0], None),
        ([5.0, 5.0], 0.0),
    ],
)
def test_spread(logits: list[float], wanted: float | None):
    assert spread(logits) == wanted


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(1000))
    return path


@pytest.mark.parametrize(
    ("code", "verdict"), [(0, "passed"), (-11, "failed"), (-9, "inconclusive"), (1, "inconclusive")]
)
def test_how_the_child_ends_decides(fp: FakeProcess, model: Path, code: int, verdict: str):
    told = json.loads(msgspec.json.encode(GOOD))
    line = f"{MARKER}{json.dumps(told)}" if code == 0 else "noise"
    fp.register([fp.any()], stdout=["noise", line], returncode=code)
    result = load_test.can_load(model.parent, artifact(), model)
    assert result.verdict == verdict
    (argv,) = fp.calls
    assert "model" in argv
    assert str(model) in argv


def test_too_little_memory_starts_nothing(model: Path):
    few = load_test.memory_needed(model.stat().st_size) - 1
    result = load_test.can_load(model.parent, artifact(), model, memory_available=few)
    assert result.verdict == "inconclusive"
    assert "memory" in result.error


def test_larger_models_need_more_and_get_more_time():
    assert load_test.memory_needed(10**10) > 10**10 > load_test.memory_needed(10**9)
    assert load_test.seconds_for(10**10) > load_test.seconds_for(10**9) > 60
