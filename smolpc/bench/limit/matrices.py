"""How fast the cores multiply float32 matrices: numpy's library, which uses all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import cycle
from typing import Any

from smolpc.schema.limit import MatrixRate
from smolpc.stats import median

SIZES = (512, 1024, 2048, 4096)  # rows; a larger product comes nearer to the peak
LONG = 0.12  # seconds; a product that takes so long is large enough
FEWEST = 4  # rounds of the smallest product


def measure(*, seconds: float, check: Callable[[], None] = lambda: None) -> MatrixRate:
    """Multiply for about `seconds`, sizes in turns, and give the fastest. A small product is
    over before another program disturbs it. `check` is called between products and may raise."""
    pairs: dict[int, tuple[Any, Any]] = {}
    timed: dict[int, list[tuple[float, float]]] = {}
    end = time.perf_counter() + seconds
    for size in SIZES:
        pairs[size] = _matrices(size)
        _product(*pairs[size])  # the first one starts threads and takes memory
        timed[size] = [_timed(*pairs[size], check)]
        if timed[size][0][0] >= LONG:
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
