"""A model that silently went to the processor is noticed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.runtime.devices import Device
from smolpc.runtime.placement import Placement, fallback, read, refused_by, used
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings

ON_CPU = ["load_tensors:   CPU_Mapped model buffer size =    93.79 MiB\n"]
ON_BOTH = [
    *ON_CPU,
    "load_tensors:        CUDA0 model buffer size =   100.00 MiB\n",
    "load_tensors:    CUDA_Host model buffer size =    10.00 MiB\n",
    "llama_kv_cache:      CUDA0 KV buffer size =    20.00 MiB\n",
    "sched_reserve:        CPU compute buffer size =     1.00 MiB\n",
]
MIB = 2**20


def test_bytes_are_counted_where_the_engine_says_they_lie() -> None:
    assert read(ON_CPU) == Placement(weights_on_gpu=0, total=int(93.79 * MIB))
    assert read(ON_BOTH) == Placement(weights_on_gpu=100 * MIB, total=int(224.79 * MIB))


# As the pinned engine logs it (Vulkan on Mesa's software device, 10 of 31 layers).
PARTIAL = [
    *(f"load_tensors: layer {n:3} assigned to device CPU, is_swa = 0\n" for n in range(21)),
    *(f"load_tensors: layer {n:3} assigned to device Vulkan0, is_swa = 0\n" for n in range(21, 31)),
    "load_tensors: offloaded 10/31 layers to GPU\n",
    "load_tensors:   CPU_Mapped model buffer size =    65.78 MiB\n",
    "load_tensors:      Vulkan0 model buffer size =    47.71 MiB\n",
]


def test_layers_are_counted_by_device() -> None:
    assert read(PARTIAL).layers == {"CPU": 21, "Vulkan0": 10}


def test_fewer_layers_than_asked_for_are_noticed() -> None:
    found = read(PARTIAL)
    assert fallback(10, (), ("Vulkan0",), found) == ""
    assert "11 of 31 layers were to be on Vulkan0" in fallback(11, (), ("Vulkan0",), found)
    assert "and 10 are" in fallback(-1, (), ("Vulkan0",), found)
    assert "and 0 are" in fallback(10, (), ("CUDA0",), found)
    no_weights = read(PARTIAL[:-1])
    assert "no layer on Vulkan0" in fallback(10, (), ("Vulkan0",), no_weights)


@given(st.lists(st.text()))
def test_any_log_is_read(lines: list[str]) -> None:
    found = read(lines)
    assert found.total >= found.weights_on_gpu >= 0


def test_every_lost_gpu_has_a_reason() -> None:
    cpu, gpu = read(ON_CPU), read(ON_BOTH)
    assert fallback(-1, (), (), cpu) == ""  # an engine for the processor
    assert fallback(0, ("cuda",), (), cpu) == ""  # nobody asked
    assert fallback(-1, (), ("CUDA0",), gpu) == ""
    assert "cuda registered no device" in fallback(-1, ("cuda",), (), cpu)
    assert "no GPU device" in fallback(5, (), (), cpu)
    assert "no layer on CUDA0" in fallback(5, (), ("CUDA0",), cpu)


def device(name: str, kind: str) -> Device:
    return Device(
        name=name, description="", backend="vulkan", kind=kind, memory_total=0, memory_free=0
    )


@pytest.mark.parametrize(
    ("kinds", "named", "layers", "expected"),
    [
        (("gpu", "igpu", "cpu"), (), -1, ("0",)),
        (("gpu", "gpu", "cpu"), (), 5, ("0", "1")),
        (("igpu", "cpu"), (), 5, ("0",)),
        (("gpu", "gpu", "cpu"), ("1",), 5, ("1",)),
        (("gpu", "cpu"), ("0",), 0, ()),
        (("cpu",), (), -1, ()),
    ],
)
def test_which_gpus_are_used(
    kinds: tuple[str, ...], named: tuple[str, ...], layers: int, expected: tuple[str, ...]
) -> None:
    registered = [device(str(number), kind) for number, kind in enumerate(kinds)]
    memory = FitSettings(context=512, gpu_layers=layers)
    settings = RunSettings(memory=memory, threads=1, devices=named)
    assert used(registered, settings) == expected


@pytest.mark.parametrize(
    ("line", "device"),
    [
        ("llama_model_load: error loading model: unable to allocate Vulkan0 buffer", "Vulkan0"),
        ("alloc: failed to allocate CUDA1 buffer of size 123", "CUDA1"),
        ("alloc: failed to allocate MTL0_Private buffer of size 123", "MTL0"),
        ("error loading model: unable to allocate CPU buffer", ""),
        ("alloc: failed to allocate CUDA_Host buffer of size 123", ""),
        ("failed to allocate compute pp buffers", ""),
        ("tensor 'x' is missing", ""),
    ],
)
def test_which_device_refused(line: str, device: str) -> None:
    assert refused_by(["something else", line]) == device
