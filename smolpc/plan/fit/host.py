"""The devices of a host, as far as an engine can use them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from smolpc.schema.fit import Device, DeviceKind
from smolpc.schema.host import Gpu, Host

# What the desktop and other programs have on a graphics card. Detection knows the size of a
# card, not what is free on it now.
IN_USE = 0.06
# The share of the memory that macOS lets a GPU have (recommendedMaxWorkingSetSize).
METAL_SHARE = 0.70
# What the engine calls the devices of each backend, before a number (ggml-*.cpp).
NAMES: dict[DeviceKind, str] = {"cuda": "CUDA", "vulkan": "Vulkan", "metal": "MTL"}
BACKENDS: dict[str, DeviceKind] = {"nvidia": "cuda", "apple": "metal"}


def devices_of(host: Host, backends: Collection[str] | None = None) -> tuple[Device, ...]:
    """The CPU, then the GPUs that an engine with these backends uses.

    `backends`: "cuda", "vulkan", "metal", ...; None: whatever fits the GPU best. An integrated
    GPU beside a card with memory of its own is left out, as the engine does (llama.cpp's
    device list prefers discrete GPUs).
    """
    memory = host.memory
    cpu = Device(
        name="CPU",
        kind="cpu",
        free=memory.available,
        total=memory.total,
        arch=host.cpu.arch,
    )
    usable = [(gpu, kind) for gpu in host.gpus if (kind := _kind(gpu, backends)) is not None]
    discrete = [(gpu, kind) for gpu, kind in usable if not _shares(gpu)]
    numbers: Counter[str] = Counter()
    found = [cpu]
    for gpu, kind in discrete or usable[:1]:
        name = f"{NAMES[kind]}{numbers[kind]}"
        numbers[kind] += 1
        found.append(_device(name, kind, gpu, cpu))
    return tuple(found)


def reserved(devices: Sequence[Device], reserve: int) -> tuple[Device, ...]:
    """The devices without `reserve` bytes of each graphics card, which the desktop keeps. (A
    GPU without memory of its own takes the host's, and leaves that its margin.)"""
    return tuple(
        device
        if device.kind == "cpu" or device.shared
        else msgspec.structs.replace(device, free=max(0, device.free - reserve))
        for device in devices
    )


def _shares(gpu: Gpu) -> bool:
    return gpu.integrated or not gpu.memory


def _kind(gpu: Gpu, backends: Collection[str] | None) -> DeviceKind | None:
    best = BACKENDS.get(gpu.vendor)
    for kind in (best, "vulkan"):
        if kind == "vulkan" and (gpu.vulkan is False or gpu.vendor == "apple"):
            continue
        if kind is None or (backends is not None and kind not in backends):
            continue
        if backends is None and kind == "vulkan" and gpu.vulkan is not True:
            continue  # nobody knows whether it has a driver
        return "vulkan" if kind == "vulkan" else best
    return None


def _device(name: str, kind: DeviceKind, gpu: Gpu, cpu: Device) -> Device:
    if not _shares(gpu):
        total = gpu.memory or 0
        free = int(total * (1 - IN_USE))
        return Device(name=name, kind=kind, free=free, total=total, card=gpu.name)
    share = METAL_SHARE if kind == "metal" else 1.0
    total = int(cpu.total * share)
    return Device(
        name=name,
        kind=kind,
        free=min(cpu.free, total),
        total=total,
        shared=True,
        card=gpu.name,
    )
