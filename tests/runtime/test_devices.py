"""A GPU backend that registered nothing must be noticed."""

from __future__ import annotations

from smolpc.runtime.devices import Device, missing_gpu_backends


def device(backend: str, kind: str) -> Device:
    return Device(
        name=backend, description="", backend=backend, kind=kind, memory_total=0, memory_free=0
    )


CPU, CUDA, VULKAN = device("cpu", "cpu"), device("cuda", "gpu"), device("vulkan", "igpu")


def test_every_gpu_backend_needs_a_device_of_its_own() -> None:
    assert missing_gpu_backends(("cpu", "cuda"), (CPU,)) == ("cuda",)
    assert missing_gpu_backends(("cpu", "cuda", "vulkan"), (CUDA, CPU)) == ("vulkan",)
    assert missing_gpu_backends(("cpu", "vulkan"), (VULKAN, CPU)) == ()


def test_processor_backends_are_no_gpu() -> None:
    assert missing_gpu_backends(("cpu", "blas"), (CPU,)) == ()


def test_an_unknown_backend_counts_as_a_gpu() -> None:
    assert missing_gpu_backends(("brandnew",), (CPU,)) == ("brandnew",)
