"""The limit in words: one plain sentence, and what makes the result less sure. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smolpc.bench.limit.instructions import AMX
from smolpc.bench.limit.memory import shows_memory
from smolpc.bench.limit.peaks import Measured
from smolpc.console import human_bytes
from smolpc.plan.cores import most_threads
from smolpc.schema.host import Host
from smolpc.schema.limit import Limit

BUSY = 0.1  # cores; less is what any desktop does
IDLE = 0.8  # of the cores; fewer busy ones are worth a note
UNSTEADY = 0.15  # how far the median may lie below the best


def number(rate: float) -> str:
    """A rate for people, as exact as it is meaningful: "7.3", "84", "1250"."""
    return f"{rate:.1f}" if rate < 10 else f"{rate:.0f}"


def sentence(limits: Sequence[Limit]) -> str:
    """What the limits at the smallest depth say."""
    first = {limit.work.stage: limit for limit in reversed(limits)}
    answer, prompt = first["decode"], first["prefill"]
    return (
        f"With this model this PC can write at most {number(answer.rate)} tokens a second"
        f" (the limit is {answer.limited_by})"
        f" and read at most {number(prompt.rate)} (the limit is {prompt.limited_by})."
    )


def notes(measured: Measured, host: Host, again: int) -> Iterator[str]:
    """Everything a reader should know before he trusts the numbers. `again`: bytes that the
    model reads for each token."""
    yield from _disturbed(measured)
    yield from _cache(measured, again)
    yield from _cores(measured, host)
    if host.gpus:
        yield f"only the processor was measured, not {', '.join(gpu.name for gpu in host.gpus)}"


def _disturbed(measured: Measured) -> Iterator[str]:
    if measured.others is None:
        yield "this system does not say how busy other programs kept it"
    elif measured.others > BUSY:
        yield (
            f"other programs used {measured.others:.1f} cores meanwhile:"
            " the true limit is higher; close them and measure again"
        )
    if measured.stolen > BUSY:
        yield f"the host of this virtual machine took {measured.stolen:.1f} cores away meanwhile"
    for what, rate in (("memory", measured.memory), ("matrices", measured.matrices)):
        if rate.median < (1 - UNSTEADY) * rate.best:
            below = 1 - rate.median / rate.best
            yield f"{what}: the rounds vary, half of them are more than {below:.0%} below the best"


def _cache(measured: Measured, again: int) -> Iterator[str]:
    cache, buffer = measured.cache, measured.memory.buffer
    if not cache:
        yield "the size of the processor's cache is not known: a part may have been read from it"
    elif not shows_memory(buffer, cache):
        yield (
            f"the machine reports {human_bytes(cache)} of cache, and only {human_bytes(buffer)}"
            " could be read: the memory alone may be slower than measured"
        )
    if measured.near is not None:
        yield (
            f"the {human_bytes(again)} that a token reads fit into the reported cache"
            f" ({human_bytes(cache)}): reading so much again and again gives"
            f" {measured.near.best / 1e9:.1f} GB/s, and the faster rate counts"
        )


def _cores(measured: Measured, host: Host) -> Iterator[str]:
    usable = most_threads(host.cpu)
    if measured.matrices.cores < IDLE * usable:
        yield (
            f"numpy kept {measured.matrices.cores:g} of {usable} processors busy:"
            " the arithmetic limit may be higher"
        )
    yield (
        f"not measured but derived: quantized values count {measured.integer.factor:g} times as"
        f" fast as float32 ({measured.integer.why})"
    )
    if AMX & set(host.cpu.features):
        yield "the processor shows AMX, which smolpc's engines do not use; it is not counted"
