"""Time to the first token of a new process, with and without a stored prompt, in pairs.

    python tests/benchmarks/prefix_restart.py [--store DIR] [--model NAME] [--tokens 1000]

One process stores the first 1,000 tokens of a text, as a long file in a conversation would be.
Then each side is a process of its own that asks about them with 32 more tokens: cold (reuse
off) and warm, alternating: A B, B A, A B ... The time counts from the call of generate; the
time with the loading of the model is shown beside it. The load of the machine changes over
minutes, so only the ratio within a pair means something; the median over the pairs is the result.

`--reuse exact` (the default) is what greedy answers and given seeds get, `fast` the others.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from smolpc import proc

CEILING = 0.2  # what we promise
QUESTION = 32  # tokens after the stored ones
SIDES = ("cold", "warm")


def one_side(args: argparse.Namespace) -> dict[str, float]:
    """In a process of its own: load, ask, and say how long the first token took."""
    from smolpc import settings
    from smolpc.runtime import Engine

    overrides = {"store": str(args.store)} if args.store else {}
    started = time.perf_counter()
    with Engine.open(args.model, config=settings.load(overrides)[0]) as engine:
        text = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
        tokens = engine.loaded().vocabulary.tokens(text * (1 + args.tokens // 1000))
        reuse = {"cold": "off", "warm": args.reuse}.get(args.side, "fast")
        asked = tokens[: args.tokens] + (tokens[-QUESTION:] if args.side in SIDES else [])
        called = time.perf_counter()
        # the second token, so that a prompt that is worth it is stored
        result = engine.complete(asked, max_tokens=2, ignore_end=True, reuse=reuse).result
    return {
        "first_token": result.time_to_first_token,
        "with_loading": called - started + result.time_to_first_token,
        "reused": result.reused_tokens,
    }


def in_process(side: str, cache: Path) -> dict[str, float]:
    """`one_side` in a new process with its own cache folder."""
    done = proc.run(
        [sys.executable, *sys.argv, "--side", side],
        env={"XDG_CACHE_HOME": str(cache), "LOCALAPPDATA": str(cache)},
        timeout=600,
    )
    if not done.ok:
        sys.exit(f"the {side} side failed:\n{done.tail()}")
    found: dict[str, float] = json.loads(done.output.splitlines()[-1])
    return found


def spread(values: Sequence[float]) -> str:
    return f"median {statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def prefix_restart(pairs: int, tokens: int) -> float:
    """Median of warm / cold time to the first token; prints every pair."""
    with tempfile.TemporaryDirectory(prefix="smolpc-prefix-") as name:
        cache = Path(name)
        in_process("store", cache)
        if not list(cache.rglob("*.kv")):
            sys.exit("nothing was stored: is prompt_cache off?")
        ratios, loaded = [], []
        for pair in range(pairs):
            order = SIDES if pair % 2 else SIDES[::-1]
            found = {side: in_process(side, cache) for side in order}
            cold, warm = found["cold"], found["warm"]
            ratios.append(warm["first_token"] / cold["first_token"])
            loaded.append(warm["with_loading"] / cold["with_loading"])
            print(
                f"pair {pair + 1}: cold {cold['first_token']:.3f} s, warm"
                f" {warm['first_token']:.3f} s ({warm['reused']:.0f} of {tokens} tokens reused),"
                f" ratio {ratios[-1]:.3f}; with loading {loaded[-1]:.3f}",
                flush=True,
            )
    print(f"time to first token, warm / cold: {spread(ratios)} (promised: {CEILING})")
    print(f"with the loading of the model: {spread(loaded)}")
    return statistics.median(ratios)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, default=os.environ.get("SMOLPC_STORE"))
    parser.add_argument("--model", default="")
    parser.add_argument("--tokens", type=int, default=1000, help="tokens that are stored")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--reuse", choices=["exact", "fast"], default="exact")
    parser.add_argument("--side", choices=["store", *SIDES], help="only this side, for itself")
    args = parser.parse_args()
    if args.side:
        print(json.dumps(one_side(args)))
        return 0
    return 0 if prefix_restart(args.pairs, args.tokens) <= CEILING else 1


if __name__ == "__main__":
    sys.exit(main())
