"""Neural processing units. Nothing here runs on them yet; `detect` says they are there."""

from __future__ import annotations

import re

from smolpc.detect import macos, windows
from smolpc.detect.machine import Machine
from smolpc.schema.host import Npu

ACCEL = "/sys/class/accel"
DRIVERS = {"intel_vpu": ("intel", "Intel NPU"), "amdxdna": ("amd", "AMD XDNA NPU")}
REAL_NPU = re.compile(r"\bNPU\b|\bAI Boost\b|\bNeural Process")  # and not "HID Input"
VENDORS = {"intel": "intel", "amd": "amd", "advanced micro": "amd", "qualcomm": "qualcomm"}


def ask(machine: Machine, gaps: list[str]) -> tuple[Npu, ...]:
    """The NPUs of `machine`."""
    if machine.system == "linux":
        accels = machine.listdir(ACCEL) or ()
        found = [parse_uevent(machine.read(f"{ACCEL}/{name}/device/uevent")) for name in accels]
        return tuple(npu for npu in found if npu is not None)
    if machine.system == "darwin":
        if macos.sysctl(machine).get("hw.optional.arm64") == "1":
            return (Npu(vendor="apple", name="Apple Neural Engine", source="sysctl"),)
        return ()
    devices = windows.inventory(machine, gaps).npu
    return tuple(npu_of(device) for device in devices if REAL_NPU.search(device.Name or ""))


def parse_uevent(text: str | None) -> Npu | None:
    """A Linux accel device, by its driver: "DRIVER=intel_vpu"."""
    for line in (text or "").splitlines():
        key, _, driver = line.partition("=")
        if key == "DRIVER" and driver in DRIVERS:
            vendor, name = DRIVERS[driver]
            return Npu(vendor=vendor, name=name, source="sysfs")
    return None


def npu_of(device: windows.Device) -> Npu:
    """A Windows device as an NPU."""
    told = f"{device.Manufacturer} {device.Name}".lower()
    vendor = next((vendor for key, vendor in VENDORS.items() if key in told), "other")
    return Npu(vendor=vendor, name=device.Name or "", source="wmi")
