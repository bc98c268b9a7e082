"""In-process decode rate against the same artifact's llama-bench, measured in pairs.

    python tests/benchmarks/decode_rate.py --artifact DIR --model FILE

Both sides decode the same number of tokens after the same depth, with the same number of
threads, one after the other: A B, B A, A B ... The load of the machine changes over minutes,
so only the ratio within a pair means something; the median over the pairs is the result. The
in-process side samples (greedy) and turns tokens into text, which llama-bench does not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

import psutil

from smolpc import proc
from smolpc.runtime.engine import Engine, drain
from smolpc.store import artifacts

FLOOR = 0.95  # what we promise


def llama_bench(program: Path, args: argparse.Namespace) -> float:
    """Tokens per second that llama-bench reports for decoding."""
    argv = [str(program), "-m", str(args.model), "-o", "json", "-r", "1", "-p", "0"]
    argv += ["-n", str(args.tokens), "-d", str(args.depth), "-t", str(args.threads)]
    done = proc.run(argv, timeout=600)
    if not done.ok:
        sys.exit(f"llama-bench failed:\n{done.tail()}")
    start, end = done.output.index("[\n"), done.output.rindex("]") + 1
    rate: float = json.loads(done.output[start:end])[0]["avg_ts"]
    return rate


def in_process(engine: Engine, args: argparse.Namespace) -> float:
    """Tokens per second of the in-process runtime for decoding."""
    text = engine.vocabulary.tokens("The quick brown fox jumps over the lazy dog. " * args.depth)
    result = drain(
        # the first token comes from the prompt, so one more is asked for
        engine.complete(text[: args.depth], max_tokens=args.tokens + 1, ignore_end=True)
    )
    return result.decode_rate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--artifact", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--depth", type=int, default=128, help="tokens already in the context")
    parser.add_argument("--tokens", type=int, default=128, help="tokens to decode")
    parser.add_argument("--threads", type=int, default=psutil.cpu_count(logical=False) or 1)
    args = parser.parse_args()

    artifact = artifacts.read(args.artifact)
    program = next((args.artifact / "bin").glob("llama-bench*"))
    ratios = []
    with Engine(args.artifact, args.model, artifact=artifact, threads=args.threads) as engine:
        in_process(engine, args)  # warm-up, as llama-bench does before it measures
        for pair in range(args.repeats):
            if pair % 2:
                ours = in_process(engine, args)
                other = llama_bench(program, args)
            else:
                other = llama_bench(program, args)
                ours = in_process(engine, args)
            ratios.append(ours / other)
            print(
                f"pair {pair + 1}: llama-bench {other:.1f} tok/s, in process {ours:.1f} tok/s,"
                f" ratio {ratios[-1]:.3f}",
                flush=True,
            )
    median = statistics.median(ratios)
    print(f"median ratio {median:.3f} (promised: {FLOOR})")
    return 0 if median >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
