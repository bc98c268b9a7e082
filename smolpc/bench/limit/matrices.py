"""How fast the cores multiply float32 matrices with numpy's library.

Two ways are tried. Large products use the library's own threads, which wait for each other: on a
busy machine they stall. Stacks of small products are shared out to threads that do not wait.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import Any

from smolpc.schema.limit import MatrixRate
from smolpc.stats import median

SIZES = (512, 1024, 2048, 4096)  # rows; a larger product comes nearer to the peak
SMALL, STACK, QUEUE = 64, 64, 16  # rows; products in a stack; stacks a thread and round
LONG = 0.12  # seconds; a product that takes so long is large enough
FEWEST = 4  # rounds of the smallest product


def measure(
    *, threads: int, seconds: float, check: Callable[[], None] = lambda: None
) -> MatrixRate:
    """Multiply for about `seconds`, and give the fastest way. `check` is called between products
    and may raise."""
    small = _small(threads, seconds / 2, check)
    large = _large(seconds / 2, check)
    return max(small, large, key=lambda rate: rate.best)


def _small(threads: int, seconds: float, check: Callable[[], None]) -> MatrixRate:
    """Products too small for the library's own threads, from a shared queue."""
    import numpy as np

    stacks = [np.ones((STACK, SMALL, SMALL), dtype=np.float32) for _ in range(threads)]
    outs = [np.empty_like(stack) for stack in stacks]
    timed: list[tuple[float, float]] = []

    def work(stack: Any, out: Any, waiting: deque[None]) -> None:
        while True:
            try:
                waiting.pop()
            except IndexError:
                return
            np.matmul(stack, stack, out=out)

    end = time.perf_counter() + seconds
    with ThreadPoolExecutor(threads) as pool:
        while len(timed) < FEWEST or time.perf_counter() < end:
            check()
            waiting = deque([None] * (QUEUE * threads))
            start, spent = time.perf_counter(), time.process_time()
            for done in [
                pool.submit(work, *pair, waiting) for pair in zip(stacks, outs, strict=True)
            ]:
                done.result()
            timed.append((time.perf_counter() - start, time.process_time() - spent))
    amount = operations(SMALL) * STACK * QUEUE * threads
    took, busy = min(timed)
    return MatrixRate(
        best=amount / took,
        median=amount / median([one for one, _ in timed]),
        size=SMALL,
        cores=round(busy / took, 1),
        rounds=len(timed),
        library=library(),
    )


def _large(seconds: float, check: Callable[[], None]) -> MatrixRate:
    """Products with the library's own threads, sizes in turns."""
    pairs: dict[int, tuple[Any, Any]] = {}
    timed: dict[int, list[tuple[float, float]]] = {}
    end = time.perf_counter() + seconds
    for size in SIZES:
        pair = _matrices(size)
        first, _ = _timed(*pair, check)  # it starts threads and takes memory
        pairs[size], timed[size] = pair, [_timed(*pair, check)]
        if first >= LONG or time.perf_counter() >= end:
            break
    turns = cycle(pairs)
    while len(timed[SIZES[0]]) < FEWEST or time.perf_counter() < end:
        size = next(turns)
        timed[size].append(_timed(*pairs[size], check))
    best = max(timed, key=lambda size: operations(size) / min(timed[size])[0])
    return MatrixRate(
        best=operations(best) / min(timed[best])[0],
        median=operations(best) / median([took for took, _ in timed[best]]),
        size=best,
        cores=round(_cores(timed), 1),
        rounds=len(timed[best]),
        library=library(),
    )


def _cores(timed: dict[int, list[tuple[float, float]]]) -> float:
    """Cores kept busy by the largest product at its best; clocks of processor time are coarse."""
    took, spent = min(timed[max(timed)])
    return spent / took


def _matrices(size: int) -> tuple[Any, Any]:
    import numpy as np

    left = np.full((size, size), 1.5, dtype=np.float32)
    return left, np.empty_like(left)


def operations(size: int) -> float:
    """Of one product of square matrices with so many rows."""
    return 2.0 * size**3


def _product(left: Any, out: Any) -> None:
    import numpy as np

    np.matmul(left, left, out=out)


def _timed(left: Any, out: Any, check: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock, and seconds of processor time."""
    check()
    start, spent = time.perf_counter(), time.process_time()
    _product(left, out)
    return time.perf_counter() - start, time.process_time() - spent


def library() -> str:
    """Name and version of what numpy multiplies with; "" where it does not say."""
    import numpy as np

    ask: Any = np.show_config
    try:
        told = ask(mode="dicts")["Build Dependencies"]["blas"]
        return f"{told['name']} {told.get('version', '')}".strip()
    except (KeyError, TypeError):
        return ""
