"""Linux control groups, version 1 and 2: how much of the machine this process may use.

Files and their meaning: the kernel's Documentation/admin-guide/cgroup-v2.rst and
cgroup-v1/memory.rst. A limit of any parent group binds too, so all levels are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from smolpc.detect.machine import Machine, whole_number

ROOT = PurePosixPath("/sys/fs/cgroup")


class MemoryLimit(NamedTuple):
    limit: int  # bytes
    free: int  # bytes below the limit; page cache that can be dropped counts as free


def parse_groups(text: str | None) -> dict[str, str]:
    """/proc/self/cgroup as controller -> group path; the key of version 2 is ""."""
    groups = {}
    for line in (text or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if colon and path.startswith("/"):
            for controller in controllers.split(","):
                groups[controller] = path
    return groups


def levels(mount: PurePosixPath, group: str) -> Iterator[str]:
    """Folders of a group and its parents. A container may not see its own group, then
    only the mount itself exists and is what counts."""
    folder = mount / group.lstrip("/")
    yield str(folder)
    for parent in folder.parents:
        if not parent.is_relative_to(mount):
            return
        yield str(parent)


def parse_quota(text: str | None) -> float | None:
    """cpu.max: "200000 100000" is 2.0 CPUs; "max 100000" is no limit."""
    words = (text or "").split()
    numbers = [whole_number(word) for word in words[:2]]
    if len(numbers) < 2 or not numbers[0] or not numbers[1]:
        return None
    return numbers[0] / numbers[1]


def parse_stat(text: str | None, key: str) -> int:
    """One number of a memory.stat file, 0 if it is not there."""
    for line in (text or "").splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return whole_number(value) or 0
    return 0


def cpu_quota(machine: Machine) -> float | None:
    """CPUs this process may keep busy, None without a limit."""
    groups = parse_groups(machine.read("/proc/self/cgroup"))
    quotas = []
    if "" in groups:
        quotas += [
            parse_quota(machine.read(f"{folder}/cpu.max")) for folder in levels(ROOT, groups[""])
        ]
    if "cpu" in groups:
        for folder in levels(ROOT / "cpu", groups["cpu"]):
            quota = machine.read(f"{folder}/cpu.cfs_quota_us")  # "-1" without a limit
            period = machine.read(f"{folder}/cpu.cfs_period_us")
            quotas.append(parse_quota(f"{quota or ''} {period or ''}"))
    return min((quota for quota in quotas if quota is not None), default=None)


def memory_limits(machine: Machine) -> list[MemoryLimit]:
    """The memory limits of every level that has one, in bytes."""
    groups = parse_groups(machine.read("/proc/self/cgroup"))
    found = []
    for key, mount, names in (
        ("", ROOT, ("memory.max", "memory.current", "inactive_file")),
        (
            "memory",
            ROOT / "memory",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ),
    ):
        if key not in groups:
            continue
        for folder in levels(mount, groups[key]):
            limit = whole_number(machine.read(f"{folder}/{names[0]}"))
            if limit is None:
                continue
            used = whole_number(machine.read(f"{folder}/{names[1]}")) or 0
            cache = parse_stat(machine.read(f"{folder}/memory.stat"), names[2])
            found.append(MemoryLimit(limit, min(limit, max(0, limit - used + cache))))
    return found
