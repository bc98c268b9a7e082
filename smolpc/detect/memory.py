"""Memory that this process may use, in bytes."""

from __future__ import annotations

from smolpc.detect import cgroup
from smolpc.detect.machine import Machine, whole_number
from smolpc.schema.host import Memory


def ask(machine: Machine, gaps: list[str]) -> Memory:
    """Total and available memory, each no more than the control group allows."""
    if machine.system == "linux":
        told = parse_meminfo(machine.read("/proc/meminfo"))
        limits = cgroup.memory_limits(machine)
    else:
        told = parse_psutil(machine.library("memory"))
        limits = []
    if told is None:
        gaps.append("the size of the memory is not known")
        return Memory(total=0, available=0)
    return within(told, limits)


def parse_meminfo(text: str | None) -> Memory | None:
    """/proc/meminfo. MemAvailable came with Linux 3.14; before it, free and cache count."""
    kib: dict[str, int] = {}
    for line in (text or "").splitlines():
        key, _, value = line.partition(":")
        number = whole_number(value.replace("kB", ""))
        if number is not None:
            kib[key] = number
    if not kib.get("MemTotal"):
        return None
    available = kib.get("MemAvailable", kib.get("MemFree", 0) + kib.get("Cached", 0))
    return Memory(total=kib["MemTotal"] * 1024, available=min(available, kib["MemTotal"]) * 1024)


def parse_psutil(told: object) -> Memory | None:
    """psutil's numbers, recorded as {"total": bytes, "available": bytes}."""
    if not isinstance(told, dict):
        return None
    total, available = told.get("total"), told.get("available")
    if not isinstance(total, int) or not isinstance(available, int) or total <= 0:
        return None
    return Memory(total=total, available=min(max(available, 0), total))


def within(memory: Memory, limits: list[cgroup.MemoryLimit]) -> Memory:
    """`memory` cut down to the tightest limit."""
    total = min([memory.total, *(limit.limit for limit in limits)])
    available = min([memory.available, total, *(limit.free for limit in limits)])
    return Memory(
        total=total,
        available=available,
        limited_by="cgroup" if total < memory.total else "",
    )
