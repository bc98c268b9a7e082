"""Tune again and again; after each time measure what was kept against the default, in new pairs.

    python tests/benchmarks/tune_repeats.py --artifact DIR --model FILE [--times 10]

A setting that was kept must never be slower than the default in the pairs that follow: the
median of the ratios must not be below 1. Where nothing is kept there is nothing to lose.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from smolpc import detect, settings
from smolpc.runtime import variants
from smolpc.runtime.choosing import shape_in
from smolpc.runtime.measuring import Measurer
from smolpc.schema.fit import FitSettings
from smolpc.schema.host import Host
from smolpc.schema.running import RunSettings
from smolpc.store import artifacts
from smolpc.tune.candidates import apply, groups
from smolpc.tune.run import Tuner, spent


def once(args: argparse.Namespace, host: Host, lib_dir: str) -> float | None:
    """One tuning; the median ratio (default time / tuned time) after it, None: nothing kept."""
    threads = args.threads or max(1, min(host.cpu.physical_cores, int(host.cpu.usable_cores)))
    start = RunSettings(memory=FitSettings(context=4096, full_window=True), threads=threads)
    layers = len(shape_in(args.model).layers) + 1
    names = variants.usable(args.artifact / lib_dir)
    with Measurer(args.artifact, lib_dir, args.model) as measurer:
        tuner = Tuner(measurer, start, seconds=args.seconds)
        tuner.warm_up()
        for step in tuner.run(groups(start, host.cpu, cpu_variants=names, layers=layers)):
            print(f"  {step.group}: {step.kept or ''} {step.why}", flush=True)
        if not tuner.values:
            return None
        rates = {one.rate for one in tuner.values if one.gain > 0}
        goal = rates.pop() if len(rates) == 1 else "both"
        best, ratios = apply(tuner.start, tuner.changes), list[float]()
        for pair in range(args.pairs):
            order = (tuner.start, best) if pair % 2 else (best, tuner.start)
            times = {id(one): spent(tuner.timing(one, goal), goal) for one in order}
            ratios.append(times[id(tuner.start)] / times[id(best)])
        return statistics.median(ratios)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--artifact", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60, help="for each tuning")
    parser.add_argument("--pairs", type=int, default=15, help="measured after each tuning")
    parser.add_argument("--threads", type=int, default=0, help="of the default (0: as usual)")
    args = parser.parse_args()
    host = detect.host(store=args.artifact, cache_dir=settings.cache_dir())
    lib_dir = artifacts.open_verified(args.artifact).lib_dir
    slower = kept = 0
    for number in range(1, args.times + 1):
        ratio = once(args, host, lib_dir)
        kept += ratio is not None
        slower += ratio is not None and ratio < 1
        said = (
            "nothing kept" if ratio is None else f"kept; measured again {ratio:.3f} times as fast"
        )
        print(f"tuning {number}: {said}", flush=True)
    print(
        f"{kept} of {args.times} tunings kept something; slower afterwards: {slower} (promised: 0)"
    )
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
