"""The project file: found upwards, and harmless whoever wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from smolpc import settings
from smolpc.errors import UsageError
from smolpc.settings.known import IN_PROJECT
from smolpc.settings.layers import load

SUPPLY = (
    *("store", "profiles", "recipes", "engine", "engine_source", "pipeline", "profile", "licenses"),
    *("machine_store", "hf_endpoint", "model_mirrors", "offline", "backend", "memory_budget"),
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder is three levels below a project of a pupil."""
    deep = tmp_path / "Übung 1" / "src" / "more"
    deep.mkdir(parents=True)
    (tmp_path / "Übung 1" / ".git").mkdir()
    monkeypatch.chdir(deep)
    return tmp_path / "Übung 1"


def write(folder: Path, text: str) -> Path:
    path = folder / ".smolpc.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_nearest_file_counts_and_stands_between_user_and_environment(project: Path) -> None:
    settings.user_file().parent.mkdir(parents=True, exist_ok=True)
    settings.user_file().write_text("context: 1024\nthreads: 2\n")
    write(project, "context: 100")
    path = write(project / "src", "context: 2048\ntemperature: 0\nspeculation: off\n")
    chosen, report = load(environ={"SMOLPC_TEMPERATURE": "0.5"})
    assert (chosen.context, chosen.temperature, chosen.threads) == (2048, 0.5, 2)
    assert chosen.speculation == "off"
    said = {one.name: one for one in report}
    assert (said["context"].layer, said["context"].origin) == ("project", str(path))
    assert [(one.layer, one.value) for one in said["context"].overridden] == [("user", 1024)]
    assert [one.layer for one in said["temperature"].overridden] == ["project"]


def test_the_search_ends_where_the_project_ends(project: Path, tmp_path: Path) -> None:
    write(tmp_path, "context: 100")
    assert settings.project_file() is None
    path = write(project, "context: 200")
    assert settings.project_file() == path


def test_the_search_ends_at_home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = own_home / "work"
    work.mkdir()
    write(own_home.parent, "context: 100")
    monkeypatch.chdir(work)
    assert settings.project_file() is None
    assert settings.project_file(work) is None
    path = write(own_home, "context: 200")
    assert settings.project_file() == path


@pytest.mark.parametrize("name", SUPPLY)
def test_a_project_says_nothing_about_where_things_come_from(project: Path, name: str) -> None:
    path = write(project, f"{name}: x\n")
    with pytest.raises(UsageError, match=name) as caught:
        load(environ={})
    assert str(path) in caught.value.what
    assert f"smolpc config.set {name}" in caught.value.next_step


def test_what_a_project_may_set_is_only_about_running() -> None:
    """A new setting is refused in projects until somebody has thought about it."""
    assert set(IN_PROJECT) == {"model", *settings.RUNNING}
    assert not IN_PROJECT & set(SUPPLY)


@pytest.mark.parametrize(
    "value", ["https://example.org/m.gguf", "../m.gguf", "hf:a/b:c.gguf", "/m", "C:\\m.gguf", "a b"]
)
@pytest.mark.parametrize("name", ["model", "draft_model"])
def test_a_project_only_names_models(project: Path, name: str, value: str) -> None:
    write(project, f"{name}: '{value}'\n")
    with pytest.raises(UsageError, match="only name a model"):
        load(environ={})


@pytest.mark.parametrize("value", ["smollm2", "qwen2.5-coder:7b", "llama3.2:3b-q8_0"])
def test_a_project_may_name_a_model(project: Path, value: str) -> None:
    write(project, f"model: {value}\n")
    assert load(environ={})[0].model == value


def test_values_for_one_model_are_checked_like_all(project: Path) -> None:
    write(project, "models: {smollm2: {store: /x}}\n")
    with pytest.raises(UsageError, match="may not set 'store'"):
        load(environ={})
