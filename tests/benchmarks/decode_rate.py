"""In-process decode rate against the same artifact's llama-bench, measured in pairs.

    python tests/benchmarks/decode_rate.py --artifact DIR --model FILE

Both sides are a fresh process, load the model, warm up, and decode the same number of tokens
after the same depth with the same number of threads, one after the other: A B, B A, A B ...
The load of the machine changes over minutes, so only the ratio within a pair means something;
the median over the pairs is the result. The in-process side also samples (greedy), which
llama-bench does not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

import psutil

from smolpc import proc
from smolpc.runtime.engine import Engine
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings

FLOOR = 0.98  # what we promise


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


def in_process(args: argparse.Namespace) -> float:
    """Tokens per second of the in-process runtime, in a process of its own."""
    done = proc.run([sys.executable, *sys.argv, "--side", "ours"], timeout=600)
    if not done.ok:
        sys.exit(f"the in-process side failed:\n{done.tail()}")
    return float(done.output.split()[-1])


def measure(args: argparse.Namespace) -> float:
    """The in-process side: load, warm up, decode."""
    memory = FitSettings(context=4096)
    settings = RunSettings(memory=memory, threads=args.threads, speculation="off")
    with Engine.open(args.model, artifact=args.artifact, settings=settings) as engine:
        text = engine.loaded().vocabulary.tokens(
            "The quick brown fox jumps over the lazy dog. " * args.depth
        )
        for count in (8, args.tokens):  # the first round is the warm-up
            # the first token comes from the prompt, so one more is asked for
            answer = engine.complete(text[: args.depth], max_tokens=count + 1, ignore_end=True)
            rate = answer.result.decode_rate
    return rate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--artifact", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--depth", type=int, default=128, help="tokens already in the context")
    parser.add_argument("--tokens", type=int, default=256, help="tokens to decode")
    parser.add_argument("--side", choices=["ours"], help="only this side, for itself")
    parser.add_argument("--threads", type=int, default=psutil.cpu_count(logical=False) or 1)
    args = parser.parse_args()

    if args.side:
        print(measure(args))
        return 0
    program = next((args.artifact / "bin").glob("llama-bench*"))
    ratios = []
    for pair in range(args.repeats):
        if pair % 2:
            ours, other = in_process(args), llama_bench(program, args)
        else:
            other, ours = llama_bench(program, args), in_process(args)
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
