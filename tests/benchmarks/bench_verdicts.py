"""How often `smolpc bench` is right with a real engine: the same thing twice, and 5 % slower.

    python -m tests.benchmarks.bench_verdicts [--model NAME] [--runs 20] [--seconds 90]

Each run has three players in process: one, the same one again, and one that sleeps a little after
each token, so that it is slower by `--slower`. A run is right about the second when its decode
rate is "parity", and about the third when it is "worse". Sleeping takes longer than was asked
for; the extra time is measured first and taken off, and what the slow player lost is printed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from smolpc import settings
from smolpc.bench import conduct
from smolpc.bench.lineup import Lineup, wishes
from smolpc.console import Silent
from smolpc.provision.target import host_for
from smolpc.schema.bench import BenchResult, Comparison, Scenario

PLAIN = "llamacpp:speculation=off"
ENOUGH = {"parity": 19, "worse": 18}  # of 20
ASKED = Scenario(
    name="short-answer",
    title="Short answer",
    about="A few words are continued.",
    prompt="The sky is blue because",
    raw=True,
    answer=96,
)


def measured(lineup: Lineup, texts: list[str], seconds: float, blocks: int = 1000) -> BenchResult:
    return conduct.bench(
        lineup, wishes(texts), [ASKED], seconds=seconds, blocks=blocks, reporter=Silent()
    )


def gap(result: BenchResult) -> float:
    """Seconds between two tokens, in the middle."""
    return statistics.median(
        one.value.median for one in result.summaries if one.metric == "gap_p50"
    )


def overslept(seconds: float) -> float:
    """How much longer a sleep takes than it should."""
    took = []
    for _ in range(200):
        started = time.perf_counter()
        time.sleep(seconds)
        took.append(time.perf_counter() - started)
    return statistics.median(took) - seconds


def decode(result: BenchResult) -> list[Comparison]:
    return [one for one in result.comparisons if one.metric == "decode"]


def said(one: Comparison) -> str:
    low, high = one.ratio.low or 0, one.ratio.high or 0
    return f"{one.ratio.median:.3f} ({low:.3f} to {high:.3f}) {one.verdict}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=90, help="of each run")
    parser.add_argument("--slower", type=float, default=0.05)
    args = parser.parse_args()
    lineup = Lineup(args.model, host_for(settings.load_config().settings))
    more = args.slower * gap(measured(lineup, [PLAIN], 30, blocks=8))
    delay = max(0.0, more - overslept(more))
    print(f"{more * 1e6:.0f} us more for a token, as a sleep of {delay * 1e6:.0f} us", flush=True)
    right = {"parity": 0, "worse": 0}
    ratios = []
    for run in range(args.runs):
        result = measured(lineup, [PLAIN, PLAIN, f"{PLAIN}+delay={delay:.7f}"], args.seconds)
        same, slow = decode(result)
        right["parity"] += same.verdict == "parity"
        right["worse"] += slow.verdict == "worse"
        ratios.append(slow.ratio.median)
        others = [
            f"{one.metric} {one.verdict}"
            for one in result.comparisons
            if one.variant == same.variant and one.verdict in ("better", "worse")
        ]
        shown = [said(one) for one in (same, slow)]
        flagged = sum(bool(one.flags) for one in result.answers)
        print(
            f"run {run + 1}: again {shown[0]}, slower {shown[1]}; {same.ratio.count} blocks,"
            f" {flagged} answers flagged{'; again: ' + ', '.join(others) if others else ''}",
            flush=True,
        )
    print(f"the same thing twice is parity: {right['parity']} of {args.runs}")
    print(f"the slower one is found: {right['worse']} of {args.runs}")
    print(f"what it lost: {1 - statistics.median(ratios):.1%} (median)")
    return 0 if all(right[one] * 20 >= ENOUGH[one] * args.runs for one in right) else 1


if __name__ == "__main__":
    sys.exit(main())
