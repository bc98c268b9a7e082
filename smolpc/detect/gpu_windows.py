"""GPUs of a Windows PC, from WMI and the registry."""

from __future__ import annotations

import re

from smolpc.detect import pci, windows
from smolpc.detect.machine import Machine
from smolpc.schema.host import Gpu, GpuVendor

CAP = (1 << 32) - (1 << 24)  # AdapterRAM is a 32-bit number: close to 4 GiB it says "or more"

BASIC = "Microsoft Basic Display"


def ask(machine: Machine, gaps: list[str]) -> list[Gpu]:
    """The GPUs that Windows lists, without its basic and remote display adapters."""
    inventory = windows.inventory(machine, gaps)
    sizes = {entry.DriverDesc: entry.Memory for entry in inventory.registry}
    for video in inventory.video:
        if (video.Name or "").startswith(BASIC) and parse_id(video.Id)[:4] in pci.VENDORS:
            gaps.append(
                f"a GPU ({parse_id(video.Id)}) is here without its maker's driver:"
                " install it, then run 'smolpc detect --refresh'"
            )
    found = [gpu_of(video, sizes.get(video.Name)) for video in inventory.video]
    return [gpu for gpu in found if gpu is not None]


def parse_id(text: str | None) -> str:
    """The id "10de:28a1" of "VEN_10DE&DEV_28A1&SUBSYS_...", or ""."""
    found = re.search(r"VEN_([0-9A-F]{4})&DEV_([0-9A-F]{4})", text or "", re.IGNORECASE)
    return f"{found.group(1)}:{found.group(2)}".lower() if found else ""


def gpu_of(video: windows.Video, registry_memory: int | None) -> Gpu | None:
    """One adapter; None for one that is emulated, remote or of no GPU vendor."""
    name, key = video.Name or "", parse_id(video.Id)
    vendor: GpuVendor | None = pci.VENDORS.get(key[:4])
    if vendor is None and "qualcomm" in name.lower():
        vendor = "other"
    if vendor is None or name.startswith("Microsoft"):
        return None
    integrated = is_integrated(vendor, name, key)
    memory = registry_memory
    if memory is None and video.AdapterRAM is not None and 0 < video.AdapterRAM < CAP:
        memory = video.AdapterRAM
    return Gpu(
        vendor=vendor,
        name=name,
        memory=None if integrated else memory,
        integrated=integrated,
        driver=video.DriverVersion or "",
        pci=key,
        source="wmi",
    )


def is_integrated(vendor: GpuVendor, name: str, key: str) -> bool:
    """Whether the GPU is part of the processor. Windows does not say: AMD's are known by
    id; Intel's cards are all called "Arc A..." or "Arc B..." and a number, while the Arc of
    a Core Ultra is called "Arc Graphics" or "Arc 140T GPU"."""
    if vendor == "amd":
        return key.partition(":")[2] in pci.AMD_INTEGRATED.split()
    if vendor == "intel":
        return not re.search(r"\bArc\b.*\b(Pro )?[AB]\d{2,3}", name)
    return vendor == "other"
