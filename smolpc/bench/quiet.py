"""How much of the processor others used while we measured."""

from __future__ import annotations

import time
from typing import NamedTuple

IDLE = ("idle", "iowait", "guest", "guest_nice")  # guests are counted as user time already


class Others(NamedTuple):
    """Cores, on average over the time. `programs` None: the system does not say."""

    programs: float | None
    stolen: float  # by the host of a virtual machine


class Snapshot(NamedTuple):
    """Seconds since some start."""

    clock: float
    busy: float  # of all cores together, without what was stolen
    idle: float
    stolen: float
    own: float  # processor time of what measures


def snapshot(own: float) -> Snapshot:
    """Where the counters of the system stand now. `own`: processor seconds that were used so far
    by what is not somebody else."""
    import psutil

    times = psutil.cpu_times()._asdict()
    stolen = times.pop("steal", 0.0)
    idle = times.get("idle", 0.0) + times.get("iowait", 0.0)
    # Windows counts interrupts within `system` already, Linux beside it
    inside = (*IDLE, *(("interrupt", "dpc") if "dpc" in times else ()))
    busy = sum(spent for name, spent in times.items() if name not in inside)
    return Snapshot(time.perf_counter(), busy, idle, stolen, own)


def between(first: Snapshot, last: Snapshot) -> Others:
    """What others used from the first snapshot to the last."""
    seconds = last.clock - first.clock
    busy, own = last.busy - first.busy, last.own - first.own
    if seconds <= 0 or busy + last.idle - first.idle <= 0:
        return Others(programs=None, stolen=0.0)  # some sandboxes count nothing
    return Others(
        programs=round(max(0.0, (busy - own) / seconds), 2),
        stolen=round(max(0.0, (last.stolen - first.stolen) / seconds), 2),
    )
