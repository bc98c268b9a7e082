"""How often `smolpc bench` is right with a real engine: the same thing twice, and 5 % slower.

    python -m tests.benchmarks.bench_verdicts [--model NAME] [--runs 20] [--seconds 80]

Each run has two players in process. Half of the runs have the same one twice, and are right when
its decode rate is "parity"; for them a third of the time is enough. In the others each token of the
second one takes longer on purpose (`--slower`), and they are right when it is "worse".
Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import statistics
import sys

from smolpc import settings
from smolpc.bench import conduct
from smolpc.bench.lineup import Lineup
from smolpc.bench.wishes import wishes
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
    answer=128,
)


def measured(lineup: Lineup, texts: list[str], seconds: float) -> BenchResult:
    return conduct.bench(
        lineup, wishes(texts), [ASKED], seconds=seconds, limits=False, reporter=Silent()
    )


def decode(result: BenchResult) -> Comparison | None:
    """None: no block counted."""
    return next((one for one in result.comparisons if one.metric == "decode"), None)


def said(result: BenchResult) -> str:
    one = decode(result)
    if one is None:
        return "no block counts"
    low, high = one.ratio.low or 0, one.ratio.high or 0
    flagged = {answer.block for answer in result.answers if answer.flags}
    return (
        f"{one.ratio.median:.3f} ({low:.3f} to {high:.3f}) {one.verdict}"
        f" ({one.ratio.count} blocks, {len(flagged)} more do not count)"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=80, help="of a run with a slower player")
    parser.add_argument("--slower", type=float, default=0.05)
    args = parser.parse_args()
    lineup = Lineup(args.model, host_for(settings.load_config().settings))
    right = dict.fromkeys(ENOUGH, 0)
    ratios = []
    for run in range(args.runs):
        again = measured(lineup, [PLAIN, PLAIN], args.seconds / 3)
        slow = measured(lineup, [PLAIN, f"{PLAIN}+slower={args.slower}"], args.seconds)
        for result, wanted in ((again, "parity"), (slow, "worse")):
            found = decode(result)
            right[wanted] += found is not None and found.verdict == wanted
            if found is not None and wanted == "worse":
                ratios.append(found.ratio.median)
        print(f"run {run + 1}: again {said(again)}", flush=True)
        print(f"    slower {said(slow)}", flush=True)
    print(f"the same thing twice is parity: {right['parity']} of {args.runs}")
    print(f"the slower one is found: {right['worse']} of {args.runs}")
    print(f"its decode rate, median: {statistics.median(ratios):.3f} of the other's")
    return 0 if all(right[one] * 20 >= ENOUGH[one] * args.runs for one in right) else 1


if __name__ == "__main__":
    sys.exit(main())
