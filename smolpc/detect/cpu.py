"""The processor: name, features, microarchitecture and cores."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from smolpc.detect import cgroup, macos, microarch, topology, windows
from smolpc.detect.machine import Machine
from smolpc.detect.topology import Cores
from smolpc.errors import PrerequisiteError
from smolpc.schema.host import Arch, Cpu

ARCHES: dict[str, Arch] = {
    "x86_64": "x86_64",
    "amd64": "x86_64",
    "aarch64": "aarch64",
    "arm64": "aarch64",
}


def arch_of(machine: Machine) -> Arch:
    """The processor family. Raises PrerequisiteError for one llama.cpp is not built for."""
    name = machine.arch.lower()
    if machine.system == "darwin" and macos.sysctl(machine).get("hw.optional.arm64") == "1":
        return "aarch64"  # a Python for Intel, translated by Rosetta, says x86_64
    try:
        return ARCHES[name]
    except KeyError:
        raise PrerequisiteError(
            f"smolpc does not know the processor family {machine.arch}",
            why="it builds for 64-bit x86 and 64-bit ARM",
            next_step="install a 64-bit operating system and a 64-bit Python, if the processor"
            " allows it",
        ) from None


def ask(machine: Machine, gaps: list[str]) -> Cpu:
    """The processor of `machine`."""
    arch = arch_of(machine)
    if machine.system == "linux":
        cpu = ask_linux(machine, arch)
    elif machine.system == "darwin":
        cpu = parse_macos(macos.sysctl(machine), arch)
    else:
        cpu = ask_windows(machine, arch, gaps)
    if not cpu.features:
        gaps.append("the processor's features are not known: only the plainest build is safe")
    return with_usable(cpu, usable(machine, cpu.logical_cores))


def usable(machine: Machine, logical: int) -> float:
    """Logical CPUs this process may keep busy: the smaller of affinity and group quota."""
    affinity = machine.library("affinity")
    count = min(logical, affinity) if isinstance(affinity, int) and affinity > 0 else logical
    quota = cgroup.cpu_quota(machine) if machine.system == "linux" else None
    return float(count) if quota is None else min(float(count), quota)


def with_usable(cpu: Cpu, count: float) -> Cpu:
    """`cpu` with another number of usable cores."""
    return msgspec.structs.replace(cpu, usable_cores=count)


def described(
    arch: Arch,
    vendor: str,
    brand: str,
    raw_features: Iterable[str],
    cores: Cores,
    *,
    part: str = "",
    ceiling: str = "",
    unseen: frozenset[str] = frozenset(),
) -> Cpu:
    """A Cpu from one platform's raw facts.

    `unseen` are features that this platform cannot report: they do not count against a
    microarchitecture, and are not claimed in the result either.
    """
    features = microarch.normalise(raw_features, arch)
    name, ancestors = microarch.best_match(
        arch, vendor, unseen.union(features), part=part, ceiling=ceiling
    )
    return Cpu(
        arch=arch,
        vendor=vendor,
        brand=" ".join(brand.replace("\0", " ").split()) or f"{vendor} {name}".strip(),
        microarchitecture=name,
        ancestors=ancestors,
        features=features,
        sockets=cores.sockets,
        physical_cores=cores.physical,
        logical_cores=cores.logical,
        performance_cores=cores.performance,
        efficiency_cores=cores.efficiency,
    )


def ask_linux(machine: Machine, arch: Arch) -> Cpu:
    """A Linux machine's processor, from /proc/cpuinfo and sysfs."""
    blocks = topology.parse_cpuinfo(machine.read("/proc/cpuinfo"))
    cores = topology.linux(machine, blocks)
    first = blocks[0] if blocks else {}
    if arch == "x86_64":
        return described(
            arch,
            first.get("vendor_id", ""),
            first.get("model name", ""),
            first.get("flags", "").split(),
            cores,
        )
    # big.LITTLE: a program may move to any core, so only what all cores have counts.
    common = [set(block.get("Features", "").split()) for block in blocks]
    board = machine.read("/proc/device-tree/model")  # "Raspberry Pi 5 Model B Rev 1.0"
    return described(
        arch,
        arm_vendor(first.get("CPU implementer", "")),
        first.get("model name") or board or "",
        set.intersection(*common) if common else (),
        cores,
        part=first.get("CPU part", ""),
    )


def arm_vendor(implementer: str) -> str:
    """The vendor behind a "CPU implementer" code; the code itself when unknown."""
    from archspec.cpu.schema import TARGETS_JSON

    name = TARGETS_JSON["conversions"]["arm_vendors"].get(implementer, implementer)
    return str(name)


def parse_macos(sysctl: dict[str, str], arch: Arch) -> Cpu:
    """A Mac's processor, from sysctl."""
    brand = sysctl.get("machdep.cpu.brand_string", "")
    cores = topology.macos(sysctl)
    if arch == "x86_64":
        raw = " ".join(
            sysctl.get(f"machdep.cpu.{key}", "")
            for key in ("features", "leaf7_features", "extfeatures")
        )
        vendor = sysctl.get("machdep.cpu.vendor", "")
        unseen = microarch.UNSEEN_ON_INTEL_MAC
        return described(arch, vendor, brand, raw.lower().split(), cores, unseen=unseen)
    return described(
        arch,
        "Apple",
        brand,
        microarch.apple_features(sysctl),
        cores,
        ceiling=apple_target(brand),
        unseen=microarch.UNSEEN_ON_APPLE_SILICON,
    )


def apple_target(brand: str) -> str:
    """The archspec target of an Apple chip: its own, or the newest one archspec knows."""
    from archspec.cpu import TARGETS

    model = re.search(r"Apple M(\d{1,2})", brand)
    for number in range(int(model.group(1)) if model else 0, 0, -1):
        if f"m{number}" in TARGETS:
            return f"m{number}"
    return "aarch64"


def ask_windows(machine: Machine, arch: Arch, gaps: list[str]) -> Cpu:
    """A Windows PC's processor: names and cores from CIM, features from cpuid."""
    threads = machine.library("affinity")  # for when PowerShell is not allowed to answer
    packages = windows.inventory(machine, gaps).cpu or [
        windows.Processor(NumberOfCores=threads, NumberOfLogicalProcessors=threads)
    ]
    cpuid = machine.library("cpuid")
    if not isinstance(cpuid, dict):
        cpuid = {}
    vendor = str(cpuid.get("vendor") or packages[0].Manufacturer or "")
    brand = str(packages[0].Name or cpuid.get("brand") or "")
    features = [str(name) for name in cpuid.get("features") or ()]
    if arch == "aarch64":
        features = ["asimd", "fp"]  # Windows on ARM needs these; it does not list the rest
        gaps.append("Windows on ARM does not list the processor's features")
    cores = Cores(
        sockets=len(packages),
        physical=sum(package.NumberOfCores or 1 for package in packages),
        logical=sum(package.NumberOfLogicalProcessors or 1 for package in packages),
    )
    cpu = described(arch, vendor, brand, features, cores, unseen=microarch.unseen_by_cpuid())
    return cpu if "alderlake" not in (cpu.microarchitecture, *cpu.ancestors) else hybrid(cpu, gaps)


def hybrid(cpu: Cpu, gaps: list[str]) -> Cpu:
    """`cpu` with its two kinds of cores, as far as the number of threads tells them.

    Where some cores run two threads, those are the performance cores: 14 cores with 20
    threads are 6 fast and 8 slow ones.
    """
    doubled = cpu.logical_cores - cpu.physical_cores
    if doubled == 0:
        gaps.append("Windows does not say which cores are performance cores")
    if not 0 < doubled < cpu.physical_cores:
        return cpu
    return msgspec.structs.replace(
        cpu, performance_cores=doubled, efficiency_cores=cpu.physical_cores - doubled
    )
