"""The measured memory bandwidth against independent programs, in pairs.

    python tests/benchmarks/limit.py

A small C program reads and runs STREAM's triad with threads (`memory_reference.c`, compiled with
`cc`); sysbench and mbw are asked, too, where they are installed. Each pair measures both sides
one after the other, in turns. Triad is counted as STREAM does (three arrays); the processor also
reads the array that it writes, so what really moves is four thirds of that.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from smolpc import proc
from smolpc.bench.limit import memory
from smolpc.detect.live import LiveMachine
from smolpc.detect.processor_cache import last_level

SOURCE = Path(__file__).with_name("memory_reference.c")
WANTED = 0.15


def output(*argv: str) -> str:
    done = proc.run(argv, timeout=300)
    if not done.ok:
        sys.exit(f"{argv[0]} failed:\n{done.tail()}")
    return done.output


def reference(program: str, size: int, threads: int) -> dict[str, float]:
    """Bytes a second of the C program: "read", "triad", and what triad really moves."""
    lines = output(program, str(size), str(threads), "10").splitlines()
    found = {name: float(rate) for name, rate in map(str.split, lines)}
    return {**found, "triad with its hidden read": found["triad"] * 4 / 3}


def sysbench(size: int, threads: int) -> dict[str, float]:
    """Blocks of a thread's own, each as large as the buffer."""
    text = output(
        *("sysbench", "memory", f"--threads={threads}", "--memory-oper=read", "--time=4"),
        *(f"--memory-block-size={size // threads}", "--memory-total-size=64G"),
        *("--memory-scope=local", "run"),
    )
    match = re.search(r"\(([\d.]+) MiB/sec\)", text)
    return {"sysbench read": float(match[1]) * 2**20} if match else {}


def mbw(size: int) -> dict[str, float]:
    """One thread that copies; both sides of the copy count."""
    text = output("mbw", "-q", "-n", "5", "-t0", str(size >> 21))
    match = re.search(r"AVG.*Copy:\s*([\d.]+)", text)
    return {"mbw copy, one thread": 2 * float(match[1]) * 2**20} if match else {}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=psutil.cpu_count() or 1)
    args = parser.parse_args()
    cache = last_level(LiveMachine())
    size = memory.buffer_size(cache, psutil.virtual_memory().available)
    print(f"cache {cache / 1e6:.0f} MB (reported), buffer {size / 1e6:.0f} MB")
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "reference")
        output("cc", "-O3", "-march=native", "-pthread", str(SOURCE), "-o", program)

        def ours() -> dict[str, float]:
            return {"ours": memory.measure(size, [args.threads], seconds=2).best}

        others: list[Callable[[], dict[str, float]]] = [
            lambda: reference(program, size, args.threads)
        ]
        if shutil.which("sysbench"):
            others.append(lambda: sysbench(size, args.threads))
        if shutil.which("mbw"):
            others.append(lambda: mbw(size))
        ratios: dict[str, list[float]] = {}
        for pair in range(args.pairs):
            rates = dict[str, float]()
            sides = [
                *others,
                lambda: {"ours": memory.measure(size, [args.threads], seconds=2).best},
            ]
            for side in sides if pair % 2 else reversed(sides):
                rates |= side()
            said = ", ".join(f"{name} {rate / 1e9:.1f}" for name, rate in sorted(rates.items()))
            print(f"pair {pair + 1}: {said} GB/s", flush=True)
            for name, rate in rates.items():
                if name != "ours":
                    ratios.setdefault(name, []).append(rates["ours"] / rate)
    for name, found in ratios.items():
        print(f"ours / {name}: median {statistics.median(found):.3f} of {len(found)} pairs")
    ratio = statistics.median(ratios["read"])
    print(f"against the same reading in C: {ratio:.3f}, wanted within {WANTED:.0%}")
    return 0 if abs(ratio - 1) <= WANTED else 1


if __name__ == "__main__":
    raise SystemExit(main())
