"""`smolpc config.*`, as a user sees it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from smolpc import settings
from smolpc.schema.config_report import ConfigChange, ConfigReport
from tests.cli.test_commands import run

Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "my project"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def changed(capsys: Out, *argv: str) -> ConfigChange:
    assert run(*argv, "--json") == 0
    return msgspec.json.decode(capsys.readouterr().out, type=ConfigChange)


def test_set_show_unset(capsys: Out) -> None:
    change = changed(capsys, "config.set", "context", "2048")
    assert (change.file, change.before, change.after) == (str(settings.user_file()), None, 2048)
    assert change.effective and change.effective.value == 2048
    assert run("config.show", "context") == 0
    line = next(one for one in capsys.readouterr().out.splitlines() if one.startswith("context "))
    assert "2048" in line and str(settings.user_file()) in line
    change = changed(capsys, "config.unset", "context")
    assert (change.before, change.after) == (2048, None)
    assert change.effective and change.effective.layer == "default"
    assert run("config.unset", "context") == 0
    assert "nothing changed" in capsys.readouterr().out


def test_layers_and_what_they_replaced_are_shown(
    capsys: Out, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for layer, value in ((["--machine"], "1024"), ([], "2048"), (["--project"], "3000")):
        assert run("config.set", "context", value, *layer) == 0
    assert (here / ".smolpc.yaml").read_text() == "context: 3000\n"
    monkeypatch.setenv("SMOLPC_CONTEXT", "512")
    capsys.readouterr()
    assert run("config.show", "--json") == 0
    report = msgspec.json.decode(capsys.readouterr().out, type=ConfigReport)
    said = next(one for one in report.settings if one.name == "context")
    assert (said.layer, said.value) == ("environment", 512)
    assert [(one.layer, one.value) for one in said.overridden] == [
        ("machine", 1024),
        ("user", 2048),
        ("project", 3000),
    ]
    assert report.files[-1] == str(here / ".smolpc.yaml")


def test_a_value_that_a_stronger_layer_hides_is_said(
    capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOLPC_THREADS", "1")
    assert run("config.set", "threads", "2") == 0
    assert "what counts: 1, from environment variable SMOLPC_THREADS" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("contxt", "1"), "did you mean 'context'"),
        (("gpu-layers", "1"), "did you mean 'gpu_layers'"),
        (("context", "many"), "whole number"),
        (("context", "1", "--machine", "--project"), "exclude each other"),
        (("store", "/x", "--project"), "may not set 'store'"),
        (("models", "x"), "unknown setting"),
        (("backend", "llamacpp olama"), "there is no backend 'olama'"),
        (("quiet_hours", "noon"), "not a span of the day"),
        (("download_limit", "fast"), "bytes a second"),
        (("gpu_reserve", "9" * 400), "number of bytes"),
    ],
)
def test_mistakes_are_explained_and_nothing_is_written(
    capsys: Out, here: Path, argv: tuple[str, ...], said: str
) -> None:
    assert run("config.set", *argv) == 2
    assert said in capsys.readouterr().err
    assert not settings.user_file().exists()
    assert not (here / ".smolpc.yaml").exists()


def test_a_wrong_name_in_a_file_can_be_taken_out(capsys: Out) -> None:
    path = settings.user_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("contxt: 1\nthreads: 1\n")
    assert run("config.show") == 2
    assert run("config.unset", "contxt") == 0
    assert path.read_text() == "threads: 1\n"
    assert run("config.unset", "contxt") == 2


def test_negative_and_odd_values_reach_the_check(capsys: Out) -> None:
    assert run("config.set", "gpu_layers", "auto") == 0
    assert run("config.set", "model", "qwen2.5-coder:7b") == 0
    assert run("config.set", "pipeline", "setup") == 0  # also the name of a command
    assert settings.load(environ={})[0].model == "qwen2.5-coder:7b"
