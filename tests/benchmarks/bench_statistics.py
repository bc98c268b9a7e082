"""How often the statistics of `smolpc bench` are right, on simulated machines.

    python -m tests.benchmarks.bench_statistics [--runs 500] [--tails 50000]

For each number of blocks and each kind of noise:

- median: how often the 95 % interval of a variant's median covers the true one;
- ratio: the same for the ratio of two equal variants, at 95 % and at the 99.7 % of one of 15;
- bootstrap: the percentile bootstrap of the same ratios, which is not used, at 95 and 99.7 %;
- A/A: runs with 5 scenarios x 3 metrics in which all 15 verdicts are parity, and those in which
  none is "better" or "worse";
- found: runs with 2 scenarios, and with 5, in which a slowdown of 5 % is found (decode is "worse"
  in some scenario), and the share of single comparisons of the 15 that find it.

The last lines stop as `smolpc bench` does, once all intervals are narrow enough: A/A runs that are
right in spite of looking again after each block, and the blocks that they took.

With --tails N, only this: of N intervals of a ratio, how many times as many miss as should, at 1
in 20, 1 in 300, 1 in 1000 and 1 in 3000.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys

import numpy as np

from smolpc.bench.interval import FEWEST, center, median_interval
from smolpc.bench.schedule import go_on, widest
from smolpc.bench.summary import comparisons
from smolpc.schema.bench import Comparison
from tests.bench import noise

KINDS: tuple[noise.Kind, ...] = ("normal", "lognormal", "heavy")
ONE_OF_15 = 1 - 0.05 / 15


def covers(interval: tuple[float, float], true: float) -> bool:
    return interval[0] <= true <= interval[1]


def bootstrap(
    values: list[float], rng: np.random.Generator, confidence: float
) -> tuple[float, float]:
    """The percentile interval of the median."""
    drawn = np.median(rng.choice(values, (2000, len(values))), axis=1)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def coverage(kind: noise.Kind, blocks: int, runs: int) -> str:
    rng, np_rng = random.Random(blocks), np.random.default_rng(blocks)
    hits = dict.fromkeys(("median", "95", "99.7", "boot 95", "boot 99.7"), 0)
    for _ in range(runs):
        one, two = ([noise.factor(kind, rng) for _ in range(blocks)] for _ in range(2))
        logs = [math.log(b / a) for a, b in zip(one, two, strict=True)]
        found = center(logs)
        assert found is not None
        hits["median"] += covers(median_interval(one), noise.usual(kind))
        hits["95"] += covers(found.interval(0.95), 0)
        hits["99.7"] += covers(found.interval(ONE_OF_15), 0)
        hits["boot 95"] += covers(bootstrap(logs, np_rng, 0.95), 0)
        hits["boot 99.7"] += covers(bootstrap(logs, np_rng, ONE_OF_15), 0)
    return "  ".join(f"{100 * hit / runs:5.1f}" for hit in hits.values())


def compared(
    kind: noise.Kind, blocks: int, seed: int, scenarios: int, slowdown: float
) -> list[Comparison]:
    answers = noise.run(kind, seed, blocks=blocks, scenarios=scenarios, slowdown=slowdown)
    return list(comparisons(answers, noise.names(scenarios), ["base", "other"]))


def verdicts(kind: noise.Kind, blocks: int, runs: int) -> str:
    parity = right = 0
    found, single = {2: 0, 5: 0}, list[float]()
    for seed in range(runs):
        same = [one.verdict for one in compared(kind, blocks, seed, 5, 1.0)]
        parity += set(same) == {"parity"}
        right += not {"better", "worse"} & set(same)
        for scenarios in found:
            slower = [
                one.verdict == "worse"
                for one in compared(kind, blocks, seed, scenarios, 1.05)
                if one.metric == "decode"
            ]
            found[scenarios] += any(slower)
        single.append(statistics.fmean(slower))
    shares = [
        parity / runs,
        right / runs,
        found[2] / runs,
        found[5] / runs,
        statistics.fmean(single),
    ]
    return "  ".join(f"{100 * share:5.1f}" for share in shares)


def stopped(kind: noise.Kind, narrow: float, runs: int) -> str:
    right, blocks = 0, list[int]()
    for seed in range(runs):
        answers = noise.run(kind, seed, blocks=30, scenarios=2)
        done, found = list[float](), list[Comparison]()
        width = math.inf
        while go_on(done, left=1e9, most=30, width=width, narrow=narrow):
            done.append(1.0)
            counted = [one for one in answers if one.block < len(done)]
            if len(done) >= FEWEST:
                found = list(comparisons(counted, noise.names(2), ["base", "other"]))
                width = widest(found)
        right += not {"better", "worse"} & {one.verdict for one in found}
        blocks.append(len(done))
    return f"{100 * right / runs:5.1f} right, {statistics.median(blocks):g} blocks"


def tails(kind: noise.Kind, blocks: int, samples: int) -> str:
    rng, risks = random.Random(f"{kind} {blocks}"), (1 / 20, 1 / 300, 1 / 1000, 1 / 3000)
    misses = dict.fromkeys(risks, 0)
    for _ in range(samples):
        found = center(
            [math.log(noise.factor(kind, rng) / noise.factor(kind, rng)) for _ in range(blocks)]
        )
        assert found is not None
        for risk in risks:
            misses[risk] += not covers(found.interval(1 - risk), 0)
    return "  ".join(f"{count / samples / risk:5.2f}" for risk, count in misses.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--tails", type=int, default=0)
    args = parser.parse_args()
    if args.tails:
        for blocks in (6, 7, 8, 10, 15):
            for kind in KINDS:
                print(f"{blocks:6} {kind:9} {tails(kind, blocks, args.tails)}", flush=True)
        return 0
    print("per cent         median  ratio at     bootstrap at  A/A    A/A    found  found  found")
    print("blocks noise         95     95   99.7     95   99.7 parity  right   of 2   of 5  single")
    for blocks in (6, 8, 10, 15):
        for kind in KINDS:
            covered = coverage(kind, blocks, 4 * args.runs)
            print(f"{blocks:6} {kind:9} {covered}  {verdicts(kind, blocks, args.runs)}", flush=True)
    for narrow in (0.15, 0.1, 0.06):
        for kind in KINDS:
            said = stopped(kind, narrow, args.runs)
            print(f"stopped when intervals are {narrow:.0%} wide, {kind}: {said}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
