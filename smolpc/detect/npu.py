"""Neural processing units: which there are. Whether an engine uses one, its recipe says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from smolpc.detect import macos, pci, windows
from smolpc.detect.machine import Machine
from smolpc.schema.host import Npu

ACCEL, MISC = "/sys/class/accel", "/sys/class/misc"

# Linux drivers of the "accel" class: (vendor, name for people)
DRIVERS = {
    "intel_vpu": ("intel", "Intel NPU"),
    "amdxdna": ("amd", "AMD XDNA NPU"),
    "qaic": ("qualcomm", "Qualcomm Cloud AI accelerator"),
    "rocket": ("rockchip", "Rockchip NPU"),
    "habanalabs": ("intel", "Intel Gaudi accelerator"),
}
# The same devices on the PCI bus, where the kernel may lack their driver (pci.ids).
PCI_IDS = {
    "8086:7d1d": ("intel", "Intel NPU (Meteor Lake)"),
    "8086:ad1d": ("intel", "Intel NPU (Arrow Lake)"),
    "8086:643e": ("intel", "Intel NPU (Lunar Lake)"),
    "8086:b03e": ("intel", "Intel NPU (Panther Lake)"),
    "1022:1502": ("amd", "AMD XDNA NPU (Phoenix)"),
    "1022:17f0": ("amd", "AMD XDNA NPU (Strix)"),
    "1e60:2864": ("hailo", "Hailo-8 NPU"),
}
PCI_CLASSES = ("0b", "11", "12")  # co-processors, signal processors, processing accelerators
HEXAGON = "fastrpc-cdsp"  # the device through which Linux programs reach Qualcomm's NPU

REAL_NPU = re.compile(r"\bNPU\b|\bAI Boost\b|\bNeural Process")  # and not "HID Input"
VENDORS = {"intel": "intel", "amd": "amd", "advanced micro": "amd", "qualcomm": "qualcomm"}


def ask(machine: Machine, gaps: list[str]) -> tuple[Npu, ...]:
    """The NPUs of `machine`."""
    if machine.system == "linux":
        return tuple(_linux(machine, gaps))
    if machine.system == "darwin":
        if macos.sysctl(machine).get("hw.optional.arm64") == "1":
            return (Npu(vendor="apple", name="Apple Neural Engine", source="sysctl"),)
        return ()
    devices = windows.inventory(machine, gaps).npu
    return tuple(npu_of(device) for device in devices if REAL_NPU.search(device.Name or ""))


def _linux(machine: Machine, gaps: list[str]) -> Iterator[Npu]:
    """Devices with a driver first, then those that only the bus shows."""
    accels = machine.listdir(ACCEL) or ()
    texts = [machine.read(f"{ACCEL}/{name}/device/uevent") for name in accels]
    driven = [npu for npu in map(parse_uevent, texts) if npu is not None]
    yield from driven
    if HEXAGON in (machine.listdir(MISC) or ()):
        yield Npu(vendor="qualcomm", name="Qualcomm Hexagon NPU", driver="fastrpc", source="sysfs")
    known = {npu.pci for npu in driven}
    for found in pci.ids(machine, PCI_CLASSES):
        if found in PCI_IDS and found not in known:
            vendor, name = PCI_IDS[found]
            gaps.append(f"{name} is here, but Linux has no driver loaded for it")
            yield Npu(vendor=vendor, name=name, pci=found, source="pci")


def parse_uevent(text: str | None) -> Npu | None:
    """A Linux accel device, by its driver: "DRIVER=intel_vpu"."""
    pairs = (line.partition("=") for line in (text or "").splitlines())
    told = {key: value for key, _, value in pairs}
    driver, found = told.get("DRIVER", ""), told.get("PCI_ID", "").lower()
    if driver not in DRIVERS:
        return None
    vendor, name = DRIVERS[driver]
    name = PCI_IDS.get(found, (vendor, name))[1]
    return Npu(vendor=vendor, name=name, driver=driver, pci=found, source="sysfs")


def npu_of(device: windows.Device) -> Npu:
    """A Windows device as an NPU."""
    told = f"{device.Manufacturer} {device.Name}".lower()
    vendor = next((vendor for key, vendor in VENDORS.items() if key in told), "other")
    return Npu(vendor=vendor, name=device.Name or "", source="wmi")
