"""`smolpc run --explain`: settings and reasons, from the header of an installed model."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from smolpc import detect, files, settings
from smolpc.models import storage
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.config_report import ConfigReport
from smolpc.schema.running_report import ExplainReport, Reason
from smolpc.schema.tuning import Tuned, TunedValue, fingerprint
from smolpc.store import Store, generations, tunings
from tests.cli.test_commands import run
from tests.machines import hosts
from tests.models.manifests import manifest
from tests.plan.fit import shapes

Out = pytest.CaptureFixture[str]
ARTIFACT = "0" * 64


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    recorded = hosts()["laptop-ultra9-rtx4050-windows11"]
    monkeypatch.setattr(detect, "host", lambda **_: recorded)


@pytest.fixture
def model(tmp_path: Path) -> ModelRecord:
    """A model of 24 layers and no weights is installed and set up."""
    made = shapes.dense("tiny", "qwen2", shapes.Dims(24, 256, 4, 2, 512, 1000, 64), "Q4_0")
    path = shapes.write(made, tmp_path / "tiny.gguf")
    store = Store(settings.load()[0].store_path)
    store.prepare()
    digest = files.sha256_file(path)
    described = manifest(name="klasse", data=b"")
    described = msgspec.structs.replace(
        described,
        context_length=0,
        file=msgspec.structs.replace(
            described.file, sha256=digest, size=path.stat().st_size, filename=path.name
        ),
    )
    folder = storage.folder_of(store.models, digest)
    folder.mkdir(parents=True)
    path.rename(folder / path.name)
    record = storage.write_record(folder, described, "a test")
    generations.commit(
        store, profile="p", artifact=ARTIFACT, model=digest, model_name=record.name, notes=()
    )
    return record


def explained(capsys: Out, *argv: str) -> ExplainReport:
    assert run("run", "--explain", "--json", *argv) == 0
    return msgspec.json.decode(capsys.readouterr().out, type=ExplainReport)


def reason(report: ExplainReport, name: str) -> Reason:
    every = (*report.running.reasons, *report.sampling_reasons)
    return next(one for one in every if one.setting == name)


def test_every_setting_is_said_with_its_reason(model: ModelRecord, capsys: Out) -> None:
    assert run("run", "--explain") == 0
    text = capsys.readouterr().out
    for word in ("context", "gpu_layers", "25", "CUDA0", "all layers fit", "temperature", "why"):
        assert word in text


def test_all_layers_of_settings_reach_the_choice(
    model: ModelRecord, capsys: Out, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = settings.user_file()
    user.parent.mkdir(parents=True, exist_ok=True)
    user.write_text("context: 1024\nmodels:\n  klasse:\n    gpu_layers: 3\n    top_k: 7\n")
    (tmp_path / ".smolpc.yaml").write_text("ubatch: 64\nmin_p: 0\n")
    monkeypatch.setenv("SMOLPC_THREADS", "2")
    report = explained(capsys, "--temperature", "0")
    memory = report.running.settings.memory
    assert (memory.context, memory.gpu_layers, memory.ubatch) == (1024, 3, 64)
    assert report.running.settings.threads == 2
    assert (report.sampling.temperature, report.sampling.top_k, report.sampling.min_p) == (0, 7, 0)
    layers = {name: reason(report, name).layer for name in ("gpu_layers", "ubatch", "threads")}
    assert layers == {"gpu_layers": "user", "ubatch": "project", "threads": "environment"}
    assert reason(report, "temperature").layer == "command line"


@pytest.mark.parametrize(
    ("wishes", "layer"),
    [
        ({}, "tuned"),
        ({"SMOLPC_KV_TYPE": "q8_0"}, "default"),  # needs flash attention: a run leaves "off" out
        ({"SMOLPC_GPU_LAYERS": "3", "SMOLPC_DEVICES": "none"}, "default"),  # cannot run at all
    ],
)
def test_shown_is_what_a_run_takes_of_the_measured_values(
    model: ModelRecord,
    capsys: Out,
    monkeypatch: pytest.MonkeyPatch,
    wishes: dict[str, str],
    layer: str,
) -> None:
    tuned = Tuned(
        host=fingerprint(detect.host()),
        artifact=ARTIFACT,
        model=model.sha256,
        created="2026-01-01T00:00:00Z",
        values=(TunedValue(setting="flash_attention", value="off", rate="both", gain=0.2),),
    )
    tunings.keep(Store(settings.load()[0].store_path), tuned)
    for name, value in wishes.items():
        monkeypatch.setenv(name, value)
    assert run("config.show", "flash_attention", "--model", "klasse", "--json") == 0
    report = msgspec.json.decode(capsys.readouterr().out, type=ConfigReport)
    assert [one.layer for one in report.settings] == [layer]


def test_what_was_measured_counts_and_is_shown(model: ModelRecord, capsys: Out) -> None:
    value = TunedValue(setting="ubatch", value=256, rate="prompt", gain=0.2)
    tuned = Tuned(
        host=fingerprint(detect.host()),
        artifact=ARTIFACT,
        model=model.sha256,
        created="2026-01-01T00:00:00Z",
        values=(value,),
    )
    store = Store(settings.load()[0].store_path)
    path = tunings.keep(store, tuned)
    assert reason(explained(capsys), "ubatch").layer == "tuned"
    assert reason(explained(capsys, "--ubatch", "128"), "ubatch").layer == "command line"
    assert run("config.show", "--model", "klasse") == 0
    assert "smolpc tune" in capsys.readouterr().out
    path.write_bytes(path.read_bytes()[:-9])
    assert reason(explained(capsys), "ubatch").layer == "default", "a damaged file is no reason"
    tunings.keep(store, msgspec.structs.replace(tuned, host="1" * 64))
    assert reason(explained(capsys), "ubatch").layer == "default", "another machine's"


def test_a_wrong_value_is_a_usage_error(model: ModelRecord, capsys: Out) -> None:
    assert run("run", "--explain", "--temperature", "hot") == 2
    assert "'temperature' in command line has a wrong value" in capsys.readouterr().err
    assert run("run", "--explain", "--devices", "CUDA5") == 2
    assert "--devices" in capsys.readouterr().err


def test_a_model_that_is_not_here(model: ModelRecord, capsys: Out) -> None:
    assert run("run", "--explain", "--model", "qwen2.5-coder:7b") == 3
    assert "models.pull" in capsys.readouterr().err
