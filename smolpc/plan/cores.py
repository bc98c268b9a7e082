"""How many threads: one for each core that computes. Pure."""

from __future__ import annotations

from smolpc.schema.host import Cpu


def default_threads(cpu: Cpu) -> int:
    """One thread per performance core, or physical core, that this process may use.

    Decoding is bound by memory: a second thread on the same core, or an efficiency core
    that the others wait for, makes it slower.
    """
    cores = cpu.performance_cores or cpu.physical_cores
    return max(1, min(cores, int(cpu.usable_cores)))


def most_threads(cpu: Cpu) -> int:
    """More would wait for a turn while others spin, and be hundreds of times slower."""
    return max(1, int(cpu.usable_cores))


def why_default(cpu: Cpu) -> str:
    """One sentence for `default_threads`."""
    if cpu.performance_cores:
        kind, cores = "performance core", cpu.performance_cores
    else:
        kind, cores = "physical core", cpu.physical_cores
    if int(cpu.usable_cores) < cores:
        return f"of {cores} {kind}s this process may use {cpu.usable_cores:g}"
    return f"one a {kind}: two on one core, or on slower ones, wait for each other"
