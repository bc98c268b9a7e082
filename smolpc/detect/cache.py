"""The second look at a machine is served from a file, as long as nothing has changed.

What changes all the time (free memory, free disk, usable cores) is asked anew each time
and laid over what the file says. Reading it imports neither psutil nor archspec on Linux.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from smolpc import __version__
from smolpc.detect import cpu, memory, pci, tools
from smolpc.detect.machine import Machine
from smolpc.errors import SmolpcError
from smolpc.files import write_atomic
from smolpc.schema.host import Disk, Host

# Each holds or dates a GPU driver: Linux' modules, and where Windows keeps every driver.
DRIVER_FILES = (
    "/proc/driver/nvidia/version",
    "/sys/module/nvidia/version",
    "/sys/module/amdgpu/version",
)
DRIVER_FOLDERS = (
    r"C:\Windows\System32\DriverStore\FileRepository",
    r"C:\Windows\System32\nvml.dll",
    "/usr/share/vulkan/icd.d",
    "/sys/class/accel",
)


def file_of(machine: Machine, store: Path, folder: Path) -> Path:
    """One file per PATH and store: two terminals with other ones do not push each other out."""
    text = f"{machine.env('PATH')}\n{store}"
    return folder / f"host-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"


class Entry(msgspec.Struct, kw_only=True):
    """The cache file."""

    fingerprint: dict[str, str | None]
    host: Host


def fingerprint(machine: Machine, store: Path, host: Host | None) -> dict[str, str | None]:
    """Everything cheap whose change may change the host: boot, drivers, PATH, tools."""
    path = machine.env("PATH") or ""
    separator = ";" if machine.system == "win32" else ":"
    places = {*path.split(separator), *tools.WATCHED, *DRIVER_FOLDERS}
    places |= {tool.path for tool in host.tools} if host else set()
    return {
        "smolpc": __version__,
        "boot": str(machine.library("boot")),
        "store": str(store),
        "PATH": path,
        "pci": " ".join(machine.listdir(pci.DEVICES) or ()),
        **{name: machine.env(name) for name in tools.WATCHED_VARIABLES},
        **{name: machine.read(name) for name in DRIVER_FILES},
        **{f"stamp {place}": machine.stamp(place) for place in sorted(places) if place},
    }


def load(machine: Machine, store: Path, folder: Path) -> Host | None:
    """The cached host with fresh numbers, or None when there is none that still holds."""
    try:
        entry = msgspec.json.decode(file_of(machine, store, folder).read_bytes(), type=Entry)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None  # absent, unreadable or from another version: asking again repairs it
    if entry.fingerprint != fingerprint(machine, store, entry.host):
        return None
    return refreshed(machine, store, entry.host)


def refreshed(machine: Machine, store: Path, host: Host) -> Host:
    """`host` with what changes from minute to minute asked again."""
    disks = host.disks
    space = machine.space(str(store))
    if space is not None:
        kind = disks[0].filesystem if disks else ""
        disks = (Disk(path=str(store), total=space[0], free=space[1], filesystem=kind),)
    usable = cpu.usable(machine, host.cpu.logical_cores)
    return msgspec.structs.replace(
        host,
        cpu=cpu.with_usable(host.cpu, usable),
        memory=memory.ask(machine, []),
        disks=disks,
    )


def save(machine: Machine, store: Path, folder: Path, host: Host) -> Host:
    """Keep `host` for the next call. A folder that cannot be written costs only time: the
    returned host says so among its gaps."""
    entry = Entry(fingerprint=fingerprint(machine, store, host), host=host)
    try:
        write_atomic(file_of(machine, store, folder), msgspec.json.encode(entry))
    except (OSError, SmolpcError) as error:
        gap = f"every start looks at the whole machine again, {folder} is not writable: {error}"
        return msgspec.structs.replace(host, gaps=(*host.gaps, gap))
    return host
