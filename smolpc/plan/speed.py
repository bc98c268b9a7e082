"""How fast a model will answer, before it is downloaded.

Decoding one token reads every active weight once and the keys and values so far. Its time is
the bytes on each device divided by what that device's memory delivers, plus a fixed cost: the
memory-bound side of the roofline model (Williams et al., 2009). On old processors the
arithmetic is the limit instead, so the lower of the two rates counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from smolpc.schema.base import Value
from smolpc.schema.hardware import Bandwidth, Speeds
from smolpc.schema.host import Cpu, Gpu

GB = 1e9
MEASURED = 1.5  # uncertainty as a factor: the truth lies between rate / factor and rate * factor
FROM_TABLE = 2.0
UNKNOWN = 3.0
SHARED = "the memory of this PC"


class Rate(Value, kw_only=True):
    """Expected tokens a second; the true value lies between `low` and `high`."""

    tokens_per_second: float
    factor: float  # uncertainty, see MEASURED
    limit: str  # what holds it back, for people: "memory bandwidth of the processor"

    @property
    def low(self) -> float:
        return self.tokens_per_second / self.factor

    @property
    def high(self) -> float:
        return self.tokens_per_second * self.factor


class Reader(Value, kw_only=True):
    """One device as a reader of weights, in bytes a second."""

    rate: float
    factor: float
    limit: str


def _words(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", re.sub(r"\((r|tm|c)\)", " ", text.lower())))


def _known(table: Sequence[Bandwidth], names: Iterable[str]) -> float | None:
    """The GB/s of the first entry of which a whole word sequence stands in one of `names`."""
    said = [f" {_words(name)} " for name in names if name]
    for entry in table:
        if any(f" {_words(piece)} " in name for piece in entry.match for name in said):
            return entry.gbps
    return None


def memory_reader(cpu: Cpu, speeds: Speeds, measured: float | None = None) -> Reader:
    """The memory of the processor. `measured` is its bandwidth in bytes a second, if known."""
    if measured:
        return Reader(rate=measured * speeds.copy_efficiency, factor=MEASURED, limit=SHARED)
    gbps = _known(speeds.cpus, (cpu.brand, cpu.microarchitecture))
    return Reader(
        rate=(gbps or speeds.unknown_cpu_gbps) * GB * speeds.cpu_efficiency,
        factor=FROM_TABLE if gbps else UNKNOWN,
        limit=SHARED,
    )


def cpu_reader(cpu: Cpu, speeds: Speeds, measured: float | None = None) -> Reader:
    """The processor with its memory: the slower of the two."""
    memory = memory_reader(cpu, speeds, measured)
    cores = max(1.0, min(cpu.performance_cores or cpu.physical_cores, cpu.usable_cores))
    kernel = next(one for one in speeds.kernels if set(one.features) <= set(cpu.features))
    arithmetic = kernel.gbps_per_core * GB * cores
    if arithmetic < memory.rate:
        return Reader(rate=arithmetic, factor=max(memory.factor, FROM_TABLE), limit="the processor")
    return memory


def gpu_reader(gpu: Gpu, memory: Reader, speeds: Speeds) -> Reader:
    """One GPU. One without memory of its own uses the processor's (`memory_reader`)."""
    if gpu.integrated or not gpu.memory:
        return memory
    gbps = _known(speeds.gpus, (gpu.name,))
    rate = (gbps or speeds.unknown_gpu_gbps) * GB * speeds.gpu_efficiency
    return Reader(
        rate=rate, factor=FROM_TABLE if gbps else UNKNOWN, limit=f"the memory of {gpu.name}"
    )


def decode_rate(parts: Sequence[tuple[int, Reader]], speeds: Speeds) -> Rate:
    """The rate when every token reads the given bytes from each device, one after another."""
    times = [(amount / reader.rate, reader) for amount, reader in parts if amount]
    slowest = max(times, key=lambda pair: pair[0], default=None)
    seconds = speeds.seconds_per_token + sum(time for time, _ in times)
    return Rate(
        tokens_per_second=1 / seconds,
        factor=max((reader.factor for _, reader in times), default=UNKNOWN),
        limit=slowest[1].limit if slowest else "",
    )
