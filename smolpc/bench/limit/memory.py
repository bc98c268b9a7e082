"""How fast this machine reads its memory with all cores.

Decoding reads and hardly writes, so only reading is measured. numpy releases the interpreter
lock in a reduction; each thread takes the next block when it is done with one, so slow cores
do not hold up fast ones. The best round is the peak: whatever disturbs makes a round slower.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from smolpc.schema.limit import MemoryRate
from smolpc.stats import median

BLOCK = 4 << 20  # bytes that a thread takes at a time
LEAST = 256 << 20  # bytes
MOST = 2 << 30  # bytes; filling more takes too long
PART = 1 / 4  # of the available memory that may be taken
TIMES_CACHE = 4  # a buffer so many times as large as the cache is hardly served from it
ENOUGH = 2  # times the cache; below that, part of what is read comes from the cache
ROUND = 128 << 20  # bytes; a smaller buffer is read several times in a round
PASSES = 256  # at most
FEWEST = 5  # rounds


def buffer_size(cache: int, available: int) -> int:
    """Bytes to read so that the memory answers, not the cache. `cache`: bytes of the last-level
    cache (0: not known); `available`: bytes that are free."""
    wanted = min(max(LEAST, TIMES_CACHE * cache), MOST)
    return max(BLOCK, min(wanted, int(available * PART)) // BLOCK * BLOCK)


def shows_memory(buffer: int, cache: int) -> bool:
    """Whether a buffer of so many bytes is large enough beside the cache."""
    return buffer >= ENOUGH * cache


def measure(
    size: int,
    threads: Iterable[int],
    *,
    seconds: float,
    check: Callable[[], None] = lambda: None,
) -> MemoryRate:
    """Read `size` bytes with each of the numbers of threads, for about `seconds` in all, and
    give the fastest. `check` is called between rounds and may raise."""
    tried = sorted(set(threads))
    with ThreadPoolExecutor(max(tried)) as pool:
        blocks = _filled(size, max(tried), pool)
        rates = [_rate(pool, blocks, count, seconds / len(tried), check) for count in tried]
    return max(rates, key=lambda rate: rate.best)


def _filled(size: int, threads: int, pool: ThreadPoolExecutor) -> list[Any]:
    """Blocks of memory that is really there: pages that were never written are all the same."""
    import numpy as np

    step = min(BLOCK, max(4096, size // (4 * threads)))
    whole = np.empty(max(1, size), dtype=np.uint8)
    blocks = [whole[start : start + step] for start in range(0, len(whole), step)]
    list(pool.map(lambda block: block.fill(1), blocks))
    return blocks


def _rate(
    pool: ThreadPoolExecutor,
    blocks: Sequence[Any],
    threads: int,
    seconds: float,
    check: Callable[[], None],
) -> MemoryRate:
    size = sum(block.nbytes for block in blocks)
    passes = max(1, min(PASSES, ROUND // size))
    rates: list[float] = []
    end = time.perf_counter() + seconds
    while len(rates) < FEWEST or time.perf_counter() < end:
        check()
        rates.append(size * passes / _round(pool, deque([*blocks] * passes), threads))
    return MemoryRate(
        best=max(rates), median=median(rates), buffer=size, threads=threads, rounds=len(rates)
    )


def _round(pool: ThreadPoolExecutor, waiting: deque[Any], threads: int) -> float:
    """Seconds until every block was read once by some thread."""

    def work() -> None:
        while True:
            try:
                block = waiting.popleft()
            except IndexError:
                return
            block.max()

    start = time.perf_counter()
    for done in [pool.submit(work) for _ in range(threads)]:
        done.result()
    return time.perf_counter() - start
