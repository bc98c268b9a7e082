"""GPUs: what the bus shows, completed by what NVIDIA's library knows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from smolpc.detect import gpu_apple, gpu_windows, pci
from smolpc.detect.machine import Machine, whole_number
from smolpc.schema.host import Gpu

VULKAN_FOLDERS = ("/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d")
VULKAN_DRIVERS = {"nvidia": ("nvidia",), "amd": ("radeon", "amd"), "intel": ("intel",)}
# Windows' NVIDIA driver, seen from a Linux inside Windows
WSL_FOLDER, WSL_FILE = "/usr/lib/wsl/lib", "libnvidia-ml.so.1"


class NvmlDevice(msgspec.Struct):
    name: str
    memory: int | None = None  # bytes
    compute: tuple[int, int] = (0, 0)
    bus: str = ""  # "00000000:01:00.0"
    device: int = 0  # device id << 16 | vendor id


class Nvml(msgspec.Struct):
    driver: str = ""
    cuda: int = 0  # 12080 is CUDA 12.8
    devices: tuple[NvmlDevice, ...] = ()
    error: str = ""


def ask(machine: Machine, gaps: list[str]) -> tuple[Gpu, ...]:
    """The GPUs of `machine`, discrete ones first."""
    if machine.system == "darwin":
        found = gpu_apple.ask(machine, gaps)
    elif machine.system == "win32":
        found = gpu_windows.ask(machine, gaps)
    else:
        found = ask_linux(machine)
    if may_have_nvidia(machine, found):
        found = with_nvml(found, machine.library("nvml"), gaps)
    return tuple(sorted(found, key=lambda gpu: gpu.integrated))


def may_have_nvidia(machine: Machine, found: Sequence[Gpu]) -> bool:
    """Whether NVIDIA's library is worth asking: a card was seen, or nothing could be seen
    (inside WSL, or on a Windows that does not let PowerShell answer)."""
    if any(gpu.vendor == "nvidia" for gpu in found):
        return True
    if machine.system == "win32":
        return not found
    return machine.system == "linux" and WSL_FILE in (machine.listdir(WSL_FOLDER) or ())


def ask_linux(machine: Machine) -> list[Gpu]:
    """The display adapters that sysfs lists."""
    adapters = pci.adapters(machine)
    if not adapters:
        return []
    names = machine.pci_names(tuple(adapter.id for adapter in adapters))
    icds = [name for folder in VULKAN_FOLDERS for name in machine.listdir(folder) or ()]
    return [from_sysfs(machine, adapter, names, icds) for adapter in adapters]


def from_sysfs(
    machine: Machine, adapter: pci.Adapter, names: dict[str, str], icds: Sequence[str]
) -> Gpu:
    """One adapter. Only amdgpu says in sysfs how much memory it has."""
    folder = f"{pci.DEVICES}/{adapter.address}"
    vendor = pci.VENDORS[adapter.vendor]
    memory, driver = None, ""
    if vendor == "amd" and not adapter.integrated:
        memory = whole_number(machine.read(f"{folder}/mem_info_vram_total"))
    if vendor == "amd":
        driver = (machine.read("/sys/module/amdgpu/version") or "").strip()
    return Gpu(
        vendor=vendor,
        name=names.get(adapter.id) or f"{vendor.upper()} GPU {adapter.id}",
        memory=memory,
        integrated=adapter.integrated,
        driver=driver,
        vulkan=any(icd.startswith(VULKAN_DRIVERS[vendor]) for icd in icds),
        pci=adapter.id,
        source="sysfs",
    )


def parse_nvml(told: Any) -> Nvml:
    """The library's answer; an `error` in it when there is none to use."""
    if told is None:
        return Nvml(error="the NVIDIA library was not asked")
    try:
        return msgspec.convert(told, Nvml)
    except msgspec.ValidationError as error:
        return Nvml(error=str(error))


def with_nvml(found: list[Gpu], told: Any, gaps: list[str]) -> list[Gpu]:
    """`found` with NVIDIA's own description in place of what the bus or Windows says.

    The n-th card of a kind is the n-th of that kind in the library: both go by bus order.
    """
    nvml = parse_nvml(told)
    if nvml.error:
        if found:
            gaps.append(
                f"an NVIDIA GPU is here, but its driver does not answer ({nvml.error}):"
                " install NVIDIA's driver, then run 'smolpc detect --refresh'"
            )
        return found
    left = [from_nvml(device, nvml) for device in nvml.devices]
    merged = []
    for gpu in found:
        same = next((known for known in left if known.pci == gpu.pci), None)
        if same is not None:
            left.remove(same)
            same = msgspec.structs.replace(same, vulkan=gpu.vulkan)
        elif gpu.vendor == "nvidia":
            gaps.append(f"NVIDIA's driver does not support this GPU: {gpu.name}")
        merged.append(same or gpu)
    return merged + left


def from_nvml(device: NvmlDevice, nvml: Nvml) -> Gpu:
    """One GPU as NVIDIA's library describes it."""
    major, minor = device.compute
    return Gpu(
        vendor="nvidia",
        name=re.sub(r"^NVIDIA ", "", device.name),
        memory=device.memory,
        integrated=device.memory is None,
        compute_capability=f"{major}.{minor}" if major else "",
        driver=nvml.driver,
        cuda_driver=f"{nvml.cuda // 1000}.{nvml.cuda % 1000 // 10}" if nvml.cuda else "",
        pci=f"{device.device & 0xFFFF:04x}:{device.device >> 16 & 0xFFFF:04x}",
        source="nvml",
    )
