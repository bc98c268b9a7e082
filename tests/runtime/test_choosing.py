"""From a loaded engine's devices and the user's settings to what is chosen."""

from __future__ import annotations

import pytest

from smolpc.runtime.choosing import devices_in, sampling_for, wishes_of
from smolpc.runtime.devices import Device
from smolpc.settings import Settings, config_of, load
from tests.machines import hosts

HOST = hosts()["laptop-ultra9-rtx4050-windows11"]


def registered(name: str, kind: str, free: int = 5, total: int = 6, backend: str = "") -> Device:
    return Device(
        name=name,
        description=f"the {name}",
        backend=backend or name.rstrip("0123456789").lower(),
        kind=kind,
        memory_total=total * 10**9,
        memory_free=free * 10**9,
    )


CPU = registered("CPU", "cpu")


def test_an_engine_without_a_gpu_has_the_cpu() -> None:
    (cpu,) = devices_in([CPU], HOST)
    assert (cpu.name, cpu.kind, cpu.free) == ("CPU", "cpu", HOST.memory.available)


def test_what_is_free_on_a_card_is_what_the_engine_says() -> None:
    _, gpu = devices_in([registered("CUDA0", "gpu"), CPU], HOST)
    assert (gpu.name, gpu.kind, gpu.free, gpu.shared) == ("CUDA0", "cuda", 5 * 10**9, False)


def test_an_integrated_gpu_is_used_only_where_there_is_no_other() -> None:
    weak, strong = registered("Vulkan0", "igpu"), registered("Vulkan1", "gpu")
    assert [one.name for one in devices_in([weak, strong, CPU], HOST)] == ["CPU", "Vulkan1"]
    _, shared = devices_in([weak, CPU], HOST)
    assert shared.shared


@pytest.mark.parametrize("kind", ["gpu", "igpu"])
def test_a_device_that_says_nothing_about_its_memory_takes_the_hosts(kind: str) -> None:
    _, gpu = devices_in([registered("SYCL0", kind, free=0, total=0)], HOST)
    assert (gpu.kind, gpu.shared, gpu.free) == ("gpu", True, HOST.memory.available)


def test_only_what_was_set_is_a_wish() -> None:
    _, report = load({"context": "2048", "threads": "auto", "temperature": "0"}, environ={})
    assert {name: one.value for name, one in wishes_of(report).items()} == {"context": 2048}
    _, report = config_of(Settings(gpu_layers=0)).for_model()
    assert {name: one.value for name, one in wishes_of(report).items()} == {"gpu_layers": 0}


def test_sampling_comes_from_the_settings() -> None:
    _, report = load({"top_k": "3"}, environ={"SMOLPC_MIN_P": "0.2"})
    sampling, reasons = sampling_for(report)
    assert (sampling.temperature, sampling.top_k, sampling.min_p) == (0.7, 3, 0.2)
    assert {one.setting: one.layer for one in reasons}["min_p"] == "environment"
