"""What only a library knows, turned into plain data that a recording can hold."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def memory() -> dict[str, int]:
    import psutil

    told = psutil.virtual_memory()
    return {"total": told.total, "available": told.available}


def affinity() -> int | None:
    """How many processors this process may use."""
    import psutil

    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):  # not on macOS
        return len(process.cpu_affinity())
    return os.cpu_count()


def libc() -> str | None:
    if sys.platform != "linux":
        return None
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except ValueError:  # musl does not know the name
        return None


def cpuid() -> dict[str, Any] | None:
    """The cpuid instruction, through archspec. None on other processors than x86-64."""
    if platform.machine() not in ("AMD64", "x86_64"):
        return None
    from archspec.cpu.detect import CpuidInfoCollector

    collector = CpuidInfoCollector()
    return {
        "vendor": collector.vendor,
        "brand": collector.brand_string() or "",
        "features": sorted(collector.features),
    }


def nvml() -> dict[str, Any]:
    """The NVIDIA management library: one entry per GPU, memory in bytes."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return {"error": str(error)}
    try:
        return {
            "driver": _text(pynvml.nvmlSystemGetDriverVersion()),
            "cuda": pynvml.nvmlSystemGetCudaDriverVersion_v2(),
            "devices": [
                _nvml_device(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())
            ],
        }
    except pynvml.NVMLError as error:
        return {"error": str(error)}
    finally:
        pynvml.nvmlShutdown()


def _nvml_device(pynvml: Any, index: int) -> dict[str, Any]:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    pci = pynvml.nvmlDeviceGetPciInfo(handle)
    return {
        "name": _text(pynvml.nvmlDeviceGetName(handle)),
        "memory": _nvml_memory(pynvml, handle),
        "compute": list(pynvml.nvmlDeviceGetCudaComputeCapability(handle)),
        "bus": _text(pci.busId),
        "device": pci.pciDeviceId,  # device id in the high half, vendor id in the low half
    }


def _nvml_memory(pynvml: Any, handle: Any) -> int | None:
    try:
        return int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
    except pynvml.NVMLError:  # chips that share the CPU's memory (GB10, Jetson) refuse
        return None


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def boot() -> str:
    if BOOT_ID.exists():
        return BOOT_ID.read_text(encoding="ascii").strip()
    import psutil

    # Other systems compute it from the clock, which wobbles: ten minutes are one boot.
    return str(round(psutil.boot_time() / 600))


ASK: dict[str, Callable[[], Any]] = {
    "memory": memory,
    "affinity": affinity,
    "libc": libc,
    "cpuid": cpuid,
    "nvml": nvml,
    "boot": boot,
}
