"""A GPU with less memory than planned: fewer layers, each step said, the processor last."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.errors import TrustError
from smolpc.plan import fit
from smolpc.runtime.devices import Device as Registered
from smolpc.runtime.loading import DeviceMemoryError
from smolpc.runtime.placing import TRIES, Smaller, place, without_gpu
from smolpc.schema.fit import Device as FitDevice
from smolpc.schema.fit import DeviceUse, FitSettings
from smolpc.schema.running import RunSettings
from tests.gguf.shapes import qwen2_14b
from tests.plan.fit.residuals import synthetic
from tests.plan.hosts import HOSTS

GB = 10**9
SHAPE = synthetic()["qwen2-7b-q4_k_m"]
LAYERS = len(SHAPE.layers) + 1
CPU = FitDevice(name="CPU", kind="cpu", free=32 * GB, total=64 * GB)
GPU = FitDevice(name="Vulkan0", kind="vulkan", free=8 * GB, total=8 * GB)
WANTED = RunSettings(
    memory=FitSettings(context=4096, gpu_layers=LAYERS, full_window=True),
    threads=4,
    devices=("Vulkan0",),
)


Placed = tuple[RunSettings, tuple[str, ...]]


class Simulated:
    """An engine on a GPU with `free` bytes: loading takes what `plan.fit` estimates."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.tried: list[int] = []

    def load(self, settings: RunSettings, steps: tuple[str, ...]) -> Placed:
        self.tried.append(settings.memory.gpu_layers)
        used = [CPU, GPU] if settings.memory.gpu_layers else [CPU]
        uses = fit.estimate(SHAPE, settings.memory, used).devices
        if sum(use.total for use in uses if use.device == "Vulkan0") > self.free:
            raise DeviceMemoryError("no room", why="unable to allocate Vulkan0 buffer")
        return settings, steps


def total_on_gpus(uses: tuple[DeviceUse, ...]) -> int:
    return sum(use.engine for use in uses if use.device != "CPU")


def smaller(settings: RunSettings) -> RunSettings | None:
    made = fit.smaller(SHAPE, [CPU, GPU], settings.memory, settings.devices)
    if made is None or not made.settings.gpu_layers:
        return None
    return msgspec.structs.replace(settings, memory=made.settings)


def test_what_fits_is_loaded_at_once_and_nothing_is_said() -> None:
    engine = Simulated(8 * GB)
    assert place(engine.load, WANTED, smaller) == (WANTED, ())


def test_fewer_layers_are_tried_and_said() -> None:
    engine = Simulated(4 * GB)
    settings, notes = place(engine.load, WANTED, smaller)
    assert settings.devices == ("Vulkan0",)
    assert 0 < settings.memory.gpu_layers < LAYERS
    assert settings.memory.context == WANTED.memory.context
    assert len(notes) == len(engine.tried) - 1 > 0
    assert f"too little free memory for {LAYERS} layers" in notes[0]


def test_the_processor_is_the_last_and_is_said() -> None:
    engine = Simulated(0)
    settings, notes = place(engine.load, WANTED, smaller)
    assert (settings.devices, settings.memory.gpu_layers) == ((), 0)
    assert "the processor does all the work" in notes[-1]
    assert "unable to allocate Vulkan0 buffer" in notes[-1]


@given(st.integers(0, 10 * GB))
def test_it_ends_after_a_few_tries_whatever_the_gpu_has(free: int) -> None:
    engine = Simulated(free)
    settings, notes = place(engine.load, WANTED, smaller)
    assert len(engine.tried) <= TRIES + 1
    assert len(notes) == len(engine.tried) - 1
    assert engine.tried == sorted(engine.tried, reverse=True)
    assert engine.tried[-1] == settings.memory.gpu_layers


def test_without_a_suggestion_the_processor_is_next() -> None:
    engine = Simulated(0)
    settings, _ = place(engine.load, WANTED, lambda _: None)
    assert engine.tried == [LAYERS, 0]
    assert settings.devices == ()


@pytest.mark.parametrize(
    "error", [TrustError("broken file"), DeviceMemoryError("a device nobody asked for")]
)
def test_other_failures_pass_through(error: Exception) -> None:
    settings = WANTED if isinstance(error, TrustError) else without_gpu(WANTED)

    def load(settings: RunSettings, steps: tuple[str, ...]) -> Placed:
        raise error

    with pytest.raises(type(error)):
        place(load, settings, smaller)


def test_a_smaller_placement_needs_less_of_every_gpu() -> None:
    second = msgspec.structs.replace(GPU, name="Vulkan1")
    tried = FitSettings(context=4096, gpu_layers=LAYERS, full_window=True, split=(15, LAYERS - 15))
    devices, used = [CPU, GPU, second], ("Vulkan0", "Vulkan1")
    before = total_on_gpus(fit.estimate(SHAPE, tried, devices).devices)
    made = fit.smaller(SHAPE, devices, tried, used)
    assert made is not None
    assert total_on_gpus(made.devices) <= before * 0.75
    assert made.settings.context == tried.context


@dataclass
class Bound:
    """What `Smaller` asks of a loaded engine."""

    devices: tuple[Registered, ...]


@dataclass
class Model:
    path: Path
    trained_context: int = 0


def suggester(path: Path) -> Smaller:
    """For the model in `path`, on an engine with two cards."""
    cards = tuple(
        Registered(
            name=f"Vulkan{number}",
            description="a card",
            backend="vulkan",
            kind="gpu",
            memory_total=8 * GB,
            memory_free=8 * GB,
        )
        for number in range(2)
    )
    return Smaller(cast(Any, Bound(cards)), cast(Any, Model(path)), lambda: HOSTS["zen4"])


def test_what_is_tried_next_is_named_in_full_and_the_context_stays_open(tmp_path: Path) -> None:
    """-1 layers and context 0 leave the choice to the runtime; estimates need numbers."""
    header, size = qwen2_14b(width=1024, ffn=2816)
    path = tmp_path / "large.gguf"
    path.write_bytes(header)
    os.truncate(path, size)  # sparse
    memory = FitSettings(context=0, gpu_layers=-1)
    less = suggester(path)(RunSettings(memory=memory, threads=1))
    assert less is not None
    assert 0 < less.memory.gpu_layers <= 49
    assert less.memory.context == 0
    assert set(less.devices) <= {"Vulkan0", "Vulkan1"}
    even_less = suggester(path)(less)
    assert even_less is not None
    assert (even_less.memory.gpu_layers, even_less.memory.ubatch) < (
        less.memory.gpu_layers,
        less.memory.ubatch,
    )


def test_an_unreadable_header_leads_to_the_processor(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF")
    assert suggester(path)(WANTED) is None
