"""The memory bandwidth of this machine, measured in a fraction of a second.

Two threads copy blocks larger than a PC's caches. It is not part of the facts about a host:
only a speed estimate for this very machine needs it, and it costs 100 MB of memory.
"""

from __future__ import annotations

import ctypes
import threading
import time

BLOCK = 24 << 20  # bytes
THREADS = 2
ROUNDS = 4


def measure() -> float:
    """Bytes a second that memory delivers and takes together; the best of a few rounds.

    ctypes releases the interpreter lock while `memmove` runs, so the threads really overlap.
    """
    pairs = [
        ((ctypes.c_char * BLOCK)(), (ctypes.c_char * BLOCK).from_buffer_copy(bytes(BLOCK)))
        for _ in range(THREADS)
    ]
    return max(_round(pairs) for _ in range(ROUNDS))


def _round(pairs: list[tuple[ctypes.Array[ctypes.c_char], ctypes.Array[ctypes.c_char]]]) -> float:
    barrier = threading.Barrier(len(pairs) + 1)

    def copy(target: ctypes.Array[ctypes.c_char], source: ctypes.Array[ctypes.c_char]) -> None:
        barrier.wait()
        ctypes.memmove(target, source, BLOCK)
        barrier.wait()

    threads = [threading.Thread(target=copy, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    barrier.wait()
    start = time.perf_counter()
    barrier.wait()
    seconds = time.perf_counter() - start
    for thread in threads:
        thread.join()
    return 2 * BLOCK * len(pairs) / seconds  # every byte is read once and written once
