"""llama-bench of an artifact: what the engine itself says about its speed, without sampling,
without text, without a server. The yardstick that keeps the other players honest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from smolpc import proc
from smolpc.bench.players.protocol import Heard, Question
from smolpc.errors import PrerequisiteError
from smolpc.schema.bench import Variant
from smolpc.schema.running import RunSettings

SLOWEST = 1800.0  # seconds


class LlamaBench:
    """`program` is `bin/llama-bench` of a verified artifact. It loads the model for every
    measurement, which is not timed, and has no time to first token."""

    def __init__(self, variant: Variant, program: Path, model: Path, settings: RunSettings) -> None:
        self.variant, self._program, self._model = variant, program, model
        self._settings = settings

    @property
    def pids(self) -> Sequence[int]:
        return ()

    def open(self) -> None:
        """It loads the model each time."""

    def answer(self, question: Question) -> Heard:
        count, depth = question.request.max_tokens or 1, question.depth
        # Where the others have read most of the prompt before, the rate of all of it is another.
        reading = self._read(depth) if depth and not question.warm else None
        threads = self._settings.threads
        answering = self._rate(threads, "-p", "0", "-n", str(count), "-d", str(depth))
        return Heard(
            prompt_tokens=depth,
            answer_tokens=count,
            prompt=reading,
            decode=answering,
        )

    def _read(self, depth: int) -> float:
        threads = self._settings.batch_threads or self._settings.threads
        return self._rate(threads, "-p", str(depth), "-n", "0")

    def _rate(self, threads: int, *options: str) -> float:
        memory = self._settings.memory
        argv = [str(self._program), "-m", str(self._model), "-o", "json", "-r", "1", *options]
        argv += ["-t", str(threads), "-fa", memory.flash]
        argv += ["-b", str(memory.batch), "-ub", str(memory.ubatch)]
        argv += ["-ctk", memory.kv_type, "-ctv", memory.kv_type, "-ngl", str(memory.gpu_layers)]
        done = proc.run(argv, timeout=SLOWEST)
        if not done.ok:
            raise PrerequisiteError(
                "llama-bench failed", why=done.tail(), next_step="smolpc doctor"
            )
        return rate_in(done.output)

    def close(self) -> None:
        """Nothing is held."""


def rate_in(output: str) -> float:
    """Tokens per second in what llama-bench prints for one test. Raises PrerequisiteError."""
    start, end = output.find("[\n"), output.rfind("]") + 1
    try:
        found: list[dict[str, Any]] = msgspec.json.decode(output[start:end].encode())
        return float(found[0]["avg_ts"])
    except (msgspec.DecodeError, LookupError, TypeError, ValueError) as error:
        raise PrerequisiteError(
            "llama-bench did not answer in its JSON", why=str(error), next_step="smolpc doctor"
        ) from error
