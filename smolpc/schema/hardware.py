"""How fast kinds of memory and processor are: data for speed estimates, not for choices that
need to be exact (`recipes/hardware/*.yaml`)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from smolpc.schema.base import Name, Value

Rate = Annotated[float, msgspec.Meta(gt=0, description="GB (10^9 bytes) a second")]


class Bandwidth(Value, kw_only=True):
    """Memory bandwidth of what `match` names: a piece of a device's brand name (letters,
    digits and single spaces count) or a microarchitecture."""

    match: tuple[str, ...]
    gbps: Rate


class CpuKernel(Value, kw_only=True):
    """How fast one core works through quantized weights when memory is no limit.

    The first entry whose `features` the processor has counts.
    """

    features: tuple[str, ...] = ()
    gbps_per_core: Rate


class Speeds(Value, kw_only=True):
    """Everything the speed estimate knows. First match wins, so the special comes first."""

    name: Name
    gpus: tuple[Bandwidth, ...]
    unknown_gpu_gbps: Rate
    cpus: tuple[Bandwidth, ...]
    unknown_cpu_gbps: Rate
    kernels: tuple[CpuKernel, ...]
    cpu_efficiency: Annotated[float, msgspec.Meta(gt=0, le=1)]  # share that decoding reaches
    copy_efficiency: Annotated[float, msgspec.Meta(gt=0, le=1)]  # of a measured bandwidth
    gpu_efficiency: Annotated[float, msgspec.Meta(gt=0, le=1)]
    seconds_per_token: float  # fixed cost of one token: sampling, launching, synchronising
