"""What `smolpc tune` measured on this machine, and which settings it keeps because of that."""

from __future__ import annotations

from typing import Literal

from smolpc.schema.base import Sha256, Value, digest_of
from smolpc.schema.config_report import Plain
from smolpc.schema.host import Host


class Sample(Value, kw_only=True):
    """One pair, measured one after the other. Tokens per second."""

    default: float
    candidate: float


class TunedValue(Value, kw_only=True):
    """One setting that is faster than its default by more than the noise."""

    setting: str
    value: Plain
    rate: Literal["decode", "prompt", "both"]  # what became faster
    gain: float  # 0.08: 8 % faster than the default, the median of the samples
    noise: float = 0.0  # how far apart two measurements of the same lie, as a fraction
    samples: tuple[Sample, ...] = ()


class Tuned(Value, kw_only=True):
    """The result for one model with one engine on one machine; kept in the store."""

    format: int = 1
    host: Sha256  # `fingerprint`
    artifact: Sha256
    model: Sha256
    created: str  # ISO 8601, UTC
    seconds: float = 0.0  # that it took
    values: tuple[TunedValue, ...] = ()
    lost: tuple[str, ...] = ()  # draft models that were measured and are not here any more


class TunedStep(Value, kw_only=True):
    """One thing that was measured, and what came of it."""

    group: str  # "threads"
    why: str  # for people
    kept: dict[str, Plain]  # setting -> value; empty: the default stays


class TuneReport(Value, kw_only=True):
    """`tune --json`."""

    format: int = 1
    model: str
    tuned: Tuned
    steps: tuple[TunedStep, ...]


def fingerprint(host: Host) -> str:
    """sha256 (hex) of everything about a machine that makes a model faster or slower. A new
    driver, another graphics card or a smaller container gives another one."""
    cpu, gpus = host.cpu, host.gpus
    return digest_of(
        {
            "system": host.os.system,
            "cpu": [cpu.arch, cpu.brand, cpu.microarchitecture, cpu.features],
            "cores": [cpu.sockets, cpu.physical_cores, cpu.performance_cores, cpu.logical_cores],
            "usable": int(cpu.usable_cores),
            "memory": host.memory.total >> 30,
            "gpus": [[gpu.vendor, gpu.name, gpu.memory, gpu.driver] for gpu in gpus],
        }
    )
