"""Sockets and cores: pure parsers of what Linux and macOS report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from smolpc.detect.machine import Machine, whole_number

CPUS = "/sys/devices/system/cpu"


class Cores(NamedTuple):
    sockets: int = 1
    physical: int = 1
    logical: int = 1
    performance: int = 0  # 0: all alike
    efficiency: int = 0


def parse_cpuinfo(text: str | None) -> list[dict[str, str]]:
    """/proc/cpuinfo as one dictionary per logical CPU; other blocks are left out."""
    blocks: list[dict[str, str]] = []
    for paragraph in (text or "").split("\n\n"):
        pairs = (line.partition(":") for line in paragraph.splitlines())
        block = {key.strip(): value.strip() for key, colon, value in pairs if colon}
        if whole_number(block.get("processor")) is not None:
            blocks.append(block)
    return blocks


def parse_cpu_list(text: str | None) -> set[int]:
    """A kernel CPU list: "0-3,8" is {0, 1, 2, 3, 8}."""
    cpus: set[int] = set()
    for item in (text or "").split(","):
        first, dash, last = item.strip().partition("-")
        low, high = whole_number(first), whole_number(last if dash else first)
        if low is not None and high is not None and high < 1 << 16:
            cpus.update(range(low, high + 1))
    return cpus


def linux(machine: Machine, blocks: list[dict[str, str]]) -> Cores:
    """Cores of a Linux machine from the blocks of /proc/cpuinfo and from sysfs."""
    core_of = {
        int(block["processor"]): (
            block.get("physical id", "0"),
            block.get("core id", block["processor"]),
        )
        for block in blocks
    }
    if not core_of:
        return Cores()
    fast, slow = split_by_kind(
        parse_cpu_list(machine.read("/sys/devices/cpu_core/cpus")),
        parse_cpu_list(machine.read("/sys/devices/cpu_atom/cpus")),
        {
            cpu: number
            for cpu in core_of
            if (number := whole_number(machine.read(f"{CPUS}/cpu{cpu}/cpu_capacity"))) is not None
        },
    )
    return Cores(
        sockets=len({package for package, _ in core_of.values()}),
        physical=len(set(core_of.values())),
        logical=len(core_of),
        performance=len({core_of[cpu] for cpu in fast & core_of.keys()}),
        efficiency=len({core_of[cpu] for cpu in slow & core_of.keys()}),
    )


def split_by_kind(
    core: set[int], atom: set[int], capacity: Mapping[int, int]
) -> tuple[set[int], set[int]]:
    """Logical CPUs that are fast and slow; both empty when all are alike.

    `core` and `atom` are Intel's hybrid lists; `capacity` is arm's cpu_capacity, where the
    smallest value marks the efficiency cores.
    """
    if core and atom:
        return core, atom
    if len(set(capacity.values())) > 1:
        least = min(capacity.values())
        slow = {cpu for cpu, number in capacity.items() if number == least}
        return set(capacity) - slow, slow
    return set(), set()


def macos(sysctl: Mapping[str, str]) -> Cores:
    """Cores of a Mac. Level 0 holds the performance cores, level 1 the efficiency cores."""

    def number(key: str) -> int:
        return whole_number(sysctl.get(key)) or 0

    levels = number("hw.nperflevels")
    physical = number("hw.physicalcpu") or 1
    return Cores(
        sockets=number("hw.packages") or 1,
        physical=physical,
        logical=number("hw.logicalcpu") or physical,
        performance=number("hw.perflevel0.physicalcpu") if levels > 1 else 0,
        efficiency=number("hw.perflevel1.physicalcpu") if levels > 1 else 0,
    )
