"""A GPU with less memory than planned: fewer layers, each step said, the processor last."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.errors import TrustError
from smolpc.plan import fit
from smolpc.runtime.loading import DeviceMemoryError
from smolpc.runtime.placing import TRIES, place, without_gpu
from smolpc.schema.fit import Device as FitDevice
from smolpc.schema.fit import DeviceUse, FitSettings
from smolpc.schema.running import RunSettings
from tests.plan.fit.residuals import synthetic

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
    return sum(use.total for use in uses if use.device != "CPU")


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
