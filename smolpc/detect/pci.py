"""Display adapters on the PCI bus of a Linux machine, and their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from smolpc.detect.machine import Machine
from smolpc.schema.host import GpuVendor

DEVICES = "/sys/bus/pci/devices"
VENDORS: dict[str, GpuVendor] = {"10de": "nvidia", "1002": "amd", "8086": "intel"}

# Radeon graphics inside AMD processors: PCI device ids, from the kernel's amdgpu_drv.c and
# pci.ids. A newer one that is missing here is taken for a card until somebody reports it.
AMD_INTEGRATED = (
    "9874 98e4 15dd 15d8 1636 164c 1638 15e7 163f 164d 1681 1506 164e 13c0 15bf 15c8 1900 1901"
    " 150e 1586 1114"
)


class Adapter(NamedTuple):
    address: str  # "0000:01:00.0"
    vendor: str  # "10de"
    device: str  # "2684"

    @property
    def id(self) -> str:
        return f"{self.vendor}:{self.device}"

    @property
    def integrated(self) -> bool:
        """Whether it is part of the processor. Intel's sits on bus 0, device 2, always."""
        if self.vendor == "8086":
            return self.address.endswith(":00:02.0")
        return self.vendor == "1002" and self.device in AMD_INTEGRATED.split()


def parse_hex(text: str | None) -> str:
    """sysfs' "0x10de" as "10de"; "" for anything else."""
    found = re.fullmatch(r"0x([0-9a-f]+)", (text or "").strip().lower())
    return found.group(1) if found else ""


def adapters(machine: Machine) -> list[Adapter]:
    """The display adapters (PCI class 03) of vendors that make GPUs worth using.

    The emulated ones of virtual machines (virtio, Cirrus, VMware, QXL, Hyper-V) and the
    remote consoles of servers (ASPEED, Matrox) are of other vendors.
    """
    found = (Adapter(*each) for each in _devices(machine, ("03",)))
    return [adapter for adapter in found if adapter.vendor in VENDORS and adapter.device]


def ids(machine: Machine, classes: Sequence[str]) -> list[str]:
    """The ids ("8086:643e") of the devices in these PCI classes (first two hex digits)."""
    return [f"{vendor}:{device}" for _, vendor, device in _devices(machine, classes)]


def _devices(machine: Machine, classes: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """(address, vendor, device) of the devices in these classes."""
    for address in machine.listdir(DEVICES) or ():
        folder = f"{DEVICES}/{address}"
        if parse_hex(machine.read(f"{folder}/class")).startswith(tuple(classes)):
            vendor = parse_hex(machine.read(f"{folder}/vendor"))
            yield address, vendor, parse_hex(machine.read(f"{folder}/device"))


def parse_names(text: str | None, wanted: Iterable[str]) -> dict[str, str]:
    """The names in a pci.ids file for ids such as "10de:2684"."""
    names: dict[str, str] = {}
    vendor, left = "", set(wanted)
    for line in (text or "").splitlines():
        if not left:
            break
        if line[:1] not in ("\t", "#", ""):
            vendor = line[:4]
        elif line.startswith("\t") and not line.startswith("\t\t"):
            key = f"{vendor}:{line[1:5]}"
            if key in left:
                names[key] = line[5:].strip()
                left.remove(key)
    return names
