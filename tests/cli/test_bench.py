"""`smolpc bench.limit`, as a user sees it; what is measured is simulated."""

from __future__ import annotations

import msgspec
import pytest
from invoke.exceptions import Exit

from smolpc.bench.limit import report
from smolpc.bench.limit.peaks import Measured
from smolpc.cli import bench
from smolpc.errors import PrerequisiteError
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.limit import LimitReport
from tests.bench.results import result
from tests.bench.test_peaks import measured
from tests.cli.test_commands import run
from tests.cli.test_explain import host, model

__all__ = ["host", "model"]  # fixtures
Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def simulated(*_: object) -> Measured:
        return measured()

    monkeypatch.setattr(report, "measure", simulated)


def test_a_table_and_one_sentence(model: ModelRecord, capsys: Out) -> None:
    assert run("bench.limit") == 0
    text = capsys.readouterr().out
    for words in ("20.0 GB/s", "write an answer", "read a prompt", "memory bandwidth", "at most"):
        assert words in text


def test_json_is_the_documented_object(model: ModelRecord, capsys: Out) -> None:
    assert run("bench.limit", "klasse", "--json") == 0
    found = msgspec.json.decode(capsys.readouterr().out, type=LimitReport)
    assert found.model == "klasse"
    assert found.limits[0].rate > found.limits[1].rate
    assert found.sentence


def test_without_a_setup_the_next_step_is_said(capsys: Out) -> None:
    assert run("bench.limit") == 3
    assert "next: smolpc setup" in capsys.readouterr().err


def test_a_cache_type_that_does_not_exist(
    model: ModelRecord, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.setenv("SMOLPC_KV_TYPE", "q3_7")
    assert run("bench.limit") == 2
    assert "q3_7" in capsys.readouterr().err


@pytest.mark.parametrize("json", [False, True])
def test_a_run_that_ended_early_does_not_look_like_success(json: bool) -> None:
    whole = result()
    bench._fail_if_broken(whole, json)
    broken = msgspec.structs.replace(whole, broke="the server is gone")
    with pytest.raises(Exit if json else PrerequisiteError) as caught:
        bench._fail_if_broken(broken, json)
    assert caught.value.code == 3
