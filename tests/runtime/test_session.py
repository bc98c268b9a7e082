"""An engine without settings of its own takes those that count for the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from smolpc import settings
from smolpc.catalog import load_catalog
from smolpc.errors import UsageError
from smolpc.runtime.loaded import Model
from smolpc.runtime.session import Session
from smolpc.schema.artifact import Artifact
from smolpc.schema.running import RunSettings
from tests.machines import hosts
from tests.plan.fit import shapes

HOST = hosts()["cloud-xeon-icelake-debian12"]


def engine(*backends: str) -> Artifact:
    needs = type("Requirements", (), {"backends": backends})()
    return cast(Artifact, type("Engine", (), {"key": "0" * 64, "requirements": needs})())


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = settings.user_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("context: 1024\nmodels:\n  smollm2: {context: 700}\n")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = shapes.dense("tiny", "llama", shapes.Dims(3, 256, 4, 2, 512, 1000, 64), "Q4_0")
    return shapes.write(made, tmp_path / "Modell ü.gguf")


def chosen(session: Session, model: Model, wanted: Any = "") -> RunSettings:
    return session.run_settings(model, wanted, engine("cpu"), ()).settings


def test_a_file_gets_the_general_values(file: Path) -> None:
    used = chosen(Session(host=HOST), Model(path=file, name="x"), file)
    assert used.memory.context == 1024
    assert used.memory.gpu_layers == 0


def test_a_models_own_values_count_under_any_of_its_names(file: Path) -> None:
    manifest = next(one for one in load_catalog().models.values() if "smollm2" in one.aliases)
    model = Model(path=file, name=manifest.name, sha256=manifest.sha256)
    assert chosen(Session(host=HOST), model).memory.context == 700
    own = Model(path=file, name="mine", sha256="1" * 64)
    assert chosen(Session(host=HOST), own, "SmolLM2").memory.context == 700
    assert chosen(Session(host=HOST), own, "mine").memory.context == 1024


def test_a_programs_settings_replace_the_users(file: Path) -> None:
    config = settings.Settings(threads=1)
    used = chosen(Session(config, HOST), Model(path=file, name="x"))
    assert (used.threads, used.memory.context) == (1, 4096)


def test_a_wish_that_cannot_be_says_where_it_came_from(file: Path) -> None:
    config = settings.Settings(gpu_layers=5)
    with pytest.raises(UsageError, match="the program") as caught:
        chosen(Session(config, HOST), Model(path=file, name="x"))
    assert "in the program" in caught.value.next_step


def test_a_gpu_that_registered_nothing_stays_asked_for_so_that_loading_says_it(file: Path) -> None:
    model, lost = Model(path=file, name="x"), engine("cpu", "cuda")
    used = Session(settings.Settings(), HOST).run_settings(model, "", lost, ()).settings
    assert used.memory.gpu_layers == -1
    without = settings.Settings(gpu_layers=0)  # the user does not want it
    used = Session(without, HOST).run_settings(model, "", lost, ()).settings
    assert used.memory.gpu_layers == 0
