"""Does an estimate fit what is free? GPUs without memory of their own take the host's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from smolpc.plan.fit import backends
from smolpc.schema.fit import Device, Estimate, Need


def room(devices: Sequence[Device], *, spare: bool) -> dict[str, int]:
    """Bytes that may be taken from each device. `spare`: its margin stays free."""
    return {d.name: d.free - (backends.margin(d) if spare else 0) for d in devices}


def from_host(made: Estimate, devices: Sequence[Device]) -> int:
    """Bytes taken from the host's memory, by the CPU and by GPUs that share it."""
    pool = {device.name for device in devices if device.kind == "cpu" or device.shared}
    return sum(use.total for use in made.devices if use.device in pool)


def short(made: Estimate, devices: Sequence[Device], free: Mapping[str, int]) -> int:
    """Bytes that are missing, over all devices; 0: it fits."""
    host = next(device for device in devices if device.kind == "cpu")
    lacking = sum(
        max(0, use.total - free[use.device]) for use in made.devices if use.device != host.name
    )
    return lacking + max(0, from_host(made, devices) - free[host.name])


def needs(made: Estimate, devices: Sequence[Device]) -> tuple[Need, ...]:
    """The comparison, one line for each device that is used."""
    named = {device.name: device for device in devices}
    return tuple(
        Need(
            device=use.device,
            needs=use.total,
            has=named[use.device].free,
            margin=backends.margin(named[use.device]),
        )
        for use in made.devices
    )
