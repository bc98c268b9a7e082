"""The size of the processor's last-level cache: a question, and pure parsers.

It is not part of the facts about a host: only a measurement of the memory needs it, to read
more than the cache holds. A virtual machine may report the cache of the whole real machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from smolpc.detect import macos
from smolpc.detect.machine import Machine, whole_number
from smolpc.detect.topology import CPUS

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
WINDOWS = (
    "powershell.exe",
    *("-NoProfile", "-NonInteractive", "-Command"),
    "(Get-CimInstance Win32_Processor | Measure-Object L3CacheSize -Sum).Sum",  # KiB
)


def last_level(machine: Machine) -> int:
    """Bytes of all last-level caches together; 0: not known."""
    if machine.system == "linux":
        return _linux(machine)
    if machine.system == "darwin":
        return of_mac(macos.sysctl(machine))
    return (whole_number(machine.run(*WINDOWS)) or 0) * 1024


def _linux(machine: Machine) -> int:
    found = set()
    for cpu in machine.listdir(CPUS) or ():
        if not re.fullmatch(r"cpu\d+", cpu):
            continue
        for index in machine.listdir(f"{CPUS}/{cpu}/cache") or ():
            folder = f"{CPUS}/{cpu}/cache/{index}"
            level = whole_number(machine.read(f"{folder}/level"))
            if (
                level is not None
                and (machine.read(f"{folder}/type") or "").strip() != "Instruction"
            ):
                shared = (machine.read(f"{folder}/shared_cpu_list") or cpu).strip()
                found.add((level, shared, size_in(machine.read(f"{folder}/size"))))
    return largest_level(found)


def size_in(text: str | None) -> int:
    """Bytes in a kernel's text such as "49152K"; 0 where it is none."""
    match = re.fullmatch(r"(\d{1,15})([KMG]?)", (text or "").strip())
    return int(match[1]) * UNITS[match[2]] if match else 0


def largest_level(caches: Iterable[tuple[int, str, int]]) -> int:
    """Bytes of the caches of the highest level, of (level, who shares it, bytes) each."""
    sized = [cache for cache in caches if cache[2]]
    last = max((level for level, _, _ in sized), default=0)
    return sum(size for level, _, size in sized if level == last)


def of_mac(sysctl: Mapping[str, str]) -> int:
    """Bytes; Macs with Apple's processors tell the L2 cache of each cluster only."""

    def number(key: str) -> int:
        return whole_number(sysctl.get(key)) or 0

    if number("hw.l3cachesize"):
        return number("hw.l3cachesize") * max(1, number("hw.packages"))
    cores, each = number("hw.perflevel0.physicalcpu"), number("hw.perflevel0.cpusperl2")
    clusters = -(-cores // each) if each else 1
    return number("hw.perflevel0.l2cachesize") * clusters or number("hw.l2cachesize")
