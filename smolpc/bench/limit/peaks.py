"""Measuring the peaks of this machine, one after the other, and who disturbed meanwhile."""

from __future__ import annotations

import time

from smolpc.bench import quiet
from smolpc.bench.limit import matrices, memory
from smolpc.bench.limit.instructions import derived
from smolpc.console import Reporter
from smolpc.detect.live import LiveMachine
from smolpc.detect.processor_cache import last_level
from smolpc.plan.cores import default_threads, most_threads
from smolpc.schema.base import Value
from smolpc.schema.host import Host
from smolpc.schema.limit import Derived, MatrixRate, MemoryRate, Peaks

MEMORY_SECONDS = 2.0
NEAR_SECONDS = 0.6
MATRIX_SECONDS = 2.5


class Measured(Value, kw_only=True):
    """What was measured and derived, before anything is concluded about a model."""

    memory: MemoryRate
    near: MemoryRate | None
    matrices: MatrixRate
    half: Derived
    integer: Derived
    cache: int  # bytes of the last-level cache, as the machine reports it; 0: not known
    others: float | None  # cores that other programs used; None: not known
    stolen: float  # cores that the host of a virtual machine gave to others

    @property
    def peaks(self) -> Peaks:
        return Peaks(
            memory=self.memory.best,
            single=self.matrices.best,
            half=self.half.operations,
            integer=self.integer.operations,
            cache=self.cache,
            near=self.near.best if self.near else 0.0,
        )


def measure(host: Host, again: int, reporter: Reporter) -> Measured:
    """Measure memory and cores of `host`, which must be this machine.

    `again`: bytes that the model reads for each token. Where they fit into the last-level cache,
    reading so much again and again is measured, too.
    """
    cache = last_level(LiveMachine())
    threads = (default_threads(host.cpu), most_threads(host.cpu))
    total, started = MEMORY_SECONDS + NEAR_SECONDS + MATRIX_SECONDS, time.monotonic()
    before = quiet.snapshot(time.process_time())
    with reporter.task("Measure memory and cores", total=total, unit="s") as task:

        def check() -> None:
            reporter.check()
            task.update(min(total, time.monotonic() - started))

        size = memory.buffer_size(cache, host.memory.available)
        far = memory.measure(size, threads, seconds=MEMORY_SECONDS, check=check)
        near = None
        if 0 < again <= min(cache, size):
            near = memory.measure(again, threads, seconds=NEAR_SECONDS, check=check)
        products = matrices.measure(threads=max(threads), seconds=MATRIX_SECONDS, check=check)
    others = quiet.between(before, quiet.snapshot(time.process_time()))
    half, integer = derived(products.best, host.cpu.features, products.library)
    return Measured(
        memory=far,
        near=near,
        matrices=products,
        half=half,
        integer=integer,
        cache=cache,
        others=others.programs,
        stolen=others.stolen,
    )
