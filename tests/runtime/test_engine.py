"""Which models an engine keeps and which it refuses, on a machine whose memory is simulated."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import psutil
import pytest

from smolpc import detect
from smolpc.errors import PrerequisiteError, UsageError
from smolpc.runtime import bindings, loaded, memory
from smolpc.runtime.engine import Engine
from smolpc.runtime.loaded import Model
from smolpc.schema.fit import FitSettings
from smolpc.schema.host import Host, Memory
from smolpc.schema.running import RunSettings
from smolpc.settings import Settings
from smolpc.store import artifacts
from tests.machines import hosts
from tests.plan.fit import shapes

GB = 10**9
SMALL = RunSettings(memory=FitSettings(context=256), threads=1)
TINY = shapes.Dims(3, 256, 4, 2, 512, 1000, 64)


class Machine:
    """Only the models that are loaded take memory, as much as is estimated for them."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.loaded: list[SimLoaded] = []

    @property
    def free(self) -> int:
        return max(0, self.total - sum(one.bytes for one in self.loaded))

    def host(self, **_: Any) -> Host:
        here = Memory(total=self.total, available=self.free)
        return msgspec.structs.replace(hosts()["cloud-xeon-icelake-debian12"], memory=here)


class SimLoaded:
    """A model in the machine that `bound` is. It answers nothing."""

    clock = itertools.count()

    def __init__(
        self, bound: Any, artifact: Any, model: Model, settings: RunSettings, *_: Any, **__: Any
    ) -> None:
        self.machine: Machine = bound.machine
        self.model, self.settings = model, settings
        self.bytes = memory.needed(model.path, settings.memory)
        self.used_at = next(self.clock)
        self.busy = False
        self.machine.loaded.append(self)

    def close(self) -> None:
        self.machine.loaded.remove(self)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """A machine with 22 GB, and an engine that needs no library."""
    made = Machine(22 * GB)
    needs = SimpleNamespace(backends=("cpu",))
    engine = SimpleNamespace(key="0" * 64, lib_dir="lib", requirements=needs)
    bound = SimpleNamespace(machine=made, devices=(), ggml=SimpleNamespace(devices=tuple))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(detect, "host", made.host)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=made.free))
    monkeypatch.setattr(artifacts, "open_verified", lambda _: engine)
    monkeypatch.setattr(bindings, "bind", lambda *_, **__: bound)
    monkeypatch.setattr(loaded, "Loaded", SimLoaded)
    return made


def file(folder: Path, name: str, dims: shapes.Dims = TINY) -> Path:
    return shapes.write(shapes.dense(name, "llama", dims, "Q4_0"), folder / f"{name}.gguf")


def test_the_budget_of_the_settings_counts_for_chosen_settings_too(
    machine: Machine, tmp_path: Path
) -> None:
    model, small = file(tmp_path, "a"), Settings(memory_budget="1M")
    with pytest.raises(PrerequisiteError, match="memory budget"):
        Engine.open(model, artifact=tmp_path, config=small, settings=SMALL)
    with Engine.open(
        model, artifact=tmp_path, config=small, settings=SMALL, memory_budget=GB
    ) as own:
        assert own.models == ("a",)
    assert machine.loaded == []


def test_a_missing_draft_model_leaves_nothing_loaded(machine: Machine, tmp_path: Path) -> None:
    drafted = msgspec.structs.replace(SMALL, speculation="draft", draft_model="gone")
    with Engine(artifact=tmp_path, config=Settings()) as own:
        with pytest.raises(UsageError, match="gone"):
            own.load(file(tmp_path, "a"), settings=drafted)
        assert machine.loaded == []
        assert own.models == ()


def test_what_the_budget_cannot_hold_drives_nobody_out(machine: Machine, tmp_path: Path) -> None:
    a, b, large = (file(tmp_path, name) for name in ("a", "b", "large"))
    one = memory.needed(a, SMALL.memory)
    long = RunSettings(memory=FitSettings(context=32768), threads=1)
    assert memory.needed(large, long.memory) > 3 * one
    with Engine.open(a, artifact=tmp_path, settings=SMALL, memory_budget=3 * one) as own:
        own.load(b, settings=SMALL)
        with pytest.raises(PrerequisiteError, match="memory budget"):
            own.load(large, settings=long)
        assert own.models == ("a", "b")
        machine.loaded[0].busy = True
        own.load(file(tmp_path, "c"), settings=SMALL)
        machine.loaded[-1].busy = True
        more = RunSettings(memory=FitSettings(context=1024), threads=1)
        assert one < memory.needed(large, more.memory) < 3 * one
        with pytest.raises(PrerequisiteError, match="memory budget"):
            own.load(large, settings=more)
        assert own.models == ("a", "b", "c")


# With 32768 tokens of context: the first two lie beside each other in 22 GB, the third only
# alone, the last not at all (its cache alone takes 32 GB).
SIZES = {
    "a": shapes.LLAMA["1b"],
    "b": shapes.LLAMA["1b"],
    "alone": shapes.Dims(48, 5120, 40, 12, 13824, 152064, 128),
    "never": shapes.Dims(48, 5120, 40, 40, 13824, 152064, 128),
}
LONG = Settings(context=32768)


def test_what_the_memory_cannot_hold_drives_nobody_out(machine: Machine, tmp_path: Path) -> None:
    files = {name: file(tmp_path, name, dims) for name, dims in SIZES.items()}
    with Engine(artifact=tmp_path, config=LONG) as own:
        for name in ("a", "b"):
            own.load(files[name])
        with pytest.raises(PrerequisiteError, match="cannot be had"):
            own.load(files["never"])
        assert own.models == ("a", "b")
        own.load(files["alone"])
        assert "alone" in own.models and "a" not in own.models
        assert machine.free > 0


def test_a_budget_counts_before_a_model_leaves_for_want_of_memory(
    machine: Machine, tmp_path: Path
) -> None:
    files = {name: file(tmp_path, name, dims) for name, dims in SIZES.items()}
    with Engine(artifact=tmp_path, config=LONG, memory_budget=10 * GB) as own:
        for name in ("a", "b"):
            own.load(files[name])
        with pytest.raises(PrerequisiteError, match="memory budget"):
            own.load(files["alone"])
        assert own.models == ("a", "b")
