"""GPUs of a Mac, from system_profiler's JSON."""

from __future__ import annotations

import re

import msgspec

from smolpc.detect.machine import Machine, json_in
from smolpc.schema.host import Gpu, GpuVendor

ARGV = ("/usr/sbin/system_profiler", "-json", "SPDisplaysDataType")
VENDORS: dict[str, GpuVendor] = {
    "apple": "apple",
    "amd": "amd",
    "ati": "amd",
    "intel": "intel",
    "nvidia": "nvidia",
}
UNITS = {"MB": 1 << 20, "GB": 1 << 30}


class Display(msgspec.Struct, rename={"name": "_name"}):
    name: str = ""
    sppci_model: str = ""
    spdisplays_vendor: str = ""  # "sppci_vendor_Apple", "Intel", "sppci_vendor_amd"
    spdisplays_vram: str = ""  # "4 GB", its own memory
    spdisplays_mtlgpufamilysupport: str = ""  # "spdisplays_metal3"


class Report(msgspec.Struct):
    SPDisplaysDataType: list[Display]


def ask(machine: Machine, gaps: list[str]) -> list[Gpu]:
    """The GPUs that macOS lists."""
    found = parse(machine.run(*ARGV))
    if found is None:
        gaps.append("system_profiler did not answer: the GPUs are not known")
    return found or []


def parse(text: str | None) -> list[Gpu] | None:
    """system_profiler's answer, or None when it is not one."""
    try:
        displays = msgspec.convert(json_in(text), Report).SPDisplaysDataType
    except msgspec.ValidationError:
        return None
    return [gpu_of(display) for display in displays]


def gpu_of(display: Display) -> Gpu:
    """One GPU. Without memory of its own it shares the computer's."""
    told = display.spdisplays_vendor.lower()
    memory = parse_memory(display.spdisplays_vram)
    metal = re.search(r"metal(\d+)", display.spdisplays_mtlgpufamilysupport)
    return Gpu(
        vendor=next((vendor for key, vendor in VENDORS.items() if key in told), "other"),
        name=display.sppci_model or display.name,
        memory=memory,
        integrated=memory is None,
        metal=f"Metal {metal.group(1)}" if metal else "",
        source="system_profiler",
    )


def parse_memory(text: str) -> int | None:
    """Bytes of a text such as "4 GB", or None."""
    found = re.fullmatch(r"(\d{1,6}) (MB|GB)", text.strip())
    return int(found.group(1)) * UNITS[found.group(2)] if found else None
