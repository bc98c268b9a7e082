"""In process against llama-server over HTTP, as today's Ollama runs it, measured in pairs.

    python tests/benchmarks/against_server.py --artifact DIR --server DIR --model FILE

`--artifact` is this machine's own engine. `--server` is an engine of the profile
linux-x86_64-portable: every CPU library, the loader chooses, no OpenMP. Both answer the same
prompts with the same number of threads and tokens, one after the other: A B, B A ... No prompt
begins like an earlier one, so nothing is reused. The client of the server reads the stream from
a socket itself, which costs less than any real client. Time to first token counts from the
call, the decode rate from the first token to the last.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from smolpc.runtime.engine import Engine
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings
from smolpc.serve.server import LlamaServer

DECODE, FIRST = 1.0, 0.85  # what we promise: ours / theirs
PAUSE = 0.5  # seconds; threads of the side that just answered still spin, and would slow the other
TEXT = "The quick brown fox jumps over the lazy dog while the rain falls on the old town. "


class Ours:
    """The engine in this process."""

    def __init__(self, engine: Engine, tokens: int) -> None:
        self.engine, self.tokens = engine, tokens

    def answer(self, prompt: str) -> tuple[float, float]:
        """Seconds to the first token, tokens per second after it."""
        start = time.perf_counter()
        ids = self.engine.loaded().vocabulary.tokens(prompt)
        stream = self.engine.complete(ids, max_tokens=self.tokens, ignore_end=True)
        times = [time.perf_counter() for _ in stream]
        rest = self.tokens - 1
        return times[0] - start, rest / (times[-1] - times[0])


class Theirs:
    """The server, over its own streaming API."""

    def __init__(self, server: LlamaServer, tokens: int) -> None:
        self.server, self.tokens = server, tokens

    def answer(self, prompt: str) -> tuple[float, float]:
        body = {
            "prompt": prompt,
            "n_predict": self.tokens,
            "temperature": 0,
            "stream": True,
            "ignore_eos": True,
            "cache_prompt": False,
        }
        headers = {"Authorization": f"Bearer {self.server.api_key}"}
        address = urlsplit(self.server.url)
        start = time.perf_counter()
        connection = http.client.HTTPConnection(address.hostname or "", address.port)
        connection.request("POST", "/completion", json.dumps(body), headers)
        answer, times = connection.getresponse(), []
        for line in answer:
            if line.startswith(b"data: ") and b'"stop":false' in line:
                times.append(time.perf_counter())
        connection.close()
        rest = self.tokens - 1
        return times[0] - start, rest / (times[-1] - times[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--artifact", type=Path, required=True)
    parser.add_argument("--server", type=Path, required=True, help="folder of a portable engine")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--words", type=int, default=16, help="prompt: so many sentences")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=psutil.cpu_count(logical=False) or 1)
    args = parser.parse_args()

    settings = RunSettings(
        memory=FitSettings(context=2048, full_window=True), threads=args.threads, speculation="off"
    )
    options = ["-m", str(args.model), "-c", "2048", "-t", str(args.threads), "--parallel", "1"]
    with (
        LlamaServer(next((args.server / "bin").glob("llama-server*")), options) as server,
        Engine.open(args.model, artifact=args.artifact, settings=settings) as engine,
    ):
        ours, theirs = Ours(engine, args.tokens), Theirs(server, args.tokens)
        rates, firsts = list[float](), list[float]()
        for pair in range(-1, args.repeats):  # the first pair warms up
            sides = (ours, theirs) if pair % 2 else (theirs, ours)
            found = {}
            for side in sides:
                time.sleep(PAUSE)
                found[side] = side.answer(f"{pair + 2}. {TEXT * args.words}")
            (first, rate), (other_first, other_rate) = found[ours], found[theirs]
            if pair >= 0:
                rates.append(rate / other_rate)
                firsts.append(first / other_first)
                print(
                    f"pair {pair + 1}: decode {rate:.1f} against {other_rate:.1f} tok/s,"
                    f" ratio {rates[-1]:.3f}; first token {first * 1000:.0f} against"
                    f" {other_first * 1000:.0f} ms, ratio {firsts[-1]:.3f}",
                    flush=True,
                )
    decode, to_first = statistics.median(rates), statistics.median(firsts)
    print(
        f"medians: decode {decode:.3f} (promised at least {DECODE}),"
        f" time to first token {to_first:.3f} (promised at most {FIRST})"
    )
    return 0 if decode >= DECODE and to_first <= FIRST else 1


if __name__ == "__main__":
    sys.exit(main())
