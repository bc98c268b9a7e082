"""The child that measures engine settings: a line of JSON in, a line of JSON out.

    python -m smolpc.runtime.measure_child ARTIFACT_DIR LIB_DIR MODEL DRAFT_MODEL CPU_VARIANT

It is a process of its own because settings may crash the engine, and because a process can
use one CPU library only. The model stays loaded between two questions; contexts too.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from smolpc.errors import SmolpcError, UsageError
from smolpc.runtime.bindings import Bound, bind
from smolpc.runtime.decoding import Decoder, Tally
from smolpc.runtime.interrupts import ctrl_c_noted
from smolpc.runtime.loading import create_context, load_model
from smolpc.runtime.measuring import MARKER, Failure, Timing, Work
from smolpc.runtime.prefix.reuse import PrefixReuse
from smolpc.runtime.sampling import likeliest
from smolpc.runtime.settings import draft_settings
from smolpc.runtime.speculation.draft import same_tokens
from smolpc.runtime.speculation.modes import Draft, Guessing
from smolpc.runtime.threadpool import Threadpool
from smolpc.runtime.vocabulary import Vocabulary
from smolpc.schema.running import Request, RunSettings

CONTEXTS = 2  # kept: the default's and the candidate's; on a GPU, one
QUESTION = """Question: Write a Python program that reads a file of names and marks, and prints the
mean of each pupil. Then explain in a few sentences how it works.

Answer: """
TEXT = "def add(numbers):\n    return sum(numbers)  # the quick brown fox jumps over it\n"


class _Context:
    """A context with its threads, its loop and its guesses."""

    def __init__(self, bench: Bench, settings: RunSettings) -> None:
        bound, self._close = bench.bound, list[Callable[[], None]]()
        try:
            handle = self._context(bound, bench.model, settings)
            threads = settings.threads, settings.batch_threads
            pool = Threadpool(bound, bench.libraries, handle, *threads)
            self._close.insert(0, pool.close)
            vocabulary = Vocabulary(bound.llama, bench.model)
            self.decoder = Decoder(bound, bench.model, handle)
            self.choose = likeliest(bound.llama, handle, vocabulary)
            self.guessing = Guessing(
                settings.speculation,
                self.decoder.verifier,
                vocabulary,
                on_gpu=settings.memory.gpu_layers > 0,
            )
            if settings.speculation == "draft":
                self.guessing.draft = self._draft(bench, settings, pool, vocabulary)
        except BaseException:
            self.close()
            raise

    def _context(self, bound: Bound, model: Any, settings: RunSettings) -> Any:
        handle = create_context(bound, model, settings)
        self._close.append(lambda: bound.llama.llama_free(handle))
        return handle

    def _draft(
        self, bench: Bench, main: RunSettings, pool: Threadpool, vocabulary: Vocabulary
    ) -> Draft:
        """Raises UsageError when the tokens of the draft model are others."""
        bound, settings = bench.bound, draft_settings(main)
        model = load_model(bound, bench.draft, settings)
        self._close.insert(0, lambda: bound.llama.llama_model_free(model))
        handle = self._context(bound, model, settings)
        pool.attach(handle)
        own = Vocabulary(bound.llama, model)
        if not same_tokens(vocabulary, own):
            raise UsageError(f"the tokens of {bench.draft.name} are others")
        decoder = Decoder(bound, model, handle)
        decoder.prefix = PrefixReuse(bound.llama, model, None)
        return Draft(decoder, likeliest(bound.llama, handle, own))

    def close(self) -> None:
        while self._close:
            self._close.pop()()


class Bench:
    """One model of one engine, measured with changing settings."""

    def __init__(
        self, folder: Path, lib_dir: str, model: Path, draft: Path, cpu_variant: str
    ) -> None:
        self.libraries = folder / lib_dir
        self.bound = bind(folder, lib_dir, cpu_variant=cpu_variant)
        self.path, self.draft = model, draft
        self.model: Any = None
        self.placed: object = None  # where the loaded model lies
        self.contexts: OrderedDict[bytes, _Context] = OrderedDict()
        self.tokens: list[int] = []
        self.question: list[int] = []

    def measure(self, work: Work) -> Timing:
        """Read a prompt and answer, as a user's question would. Raises SmolpcError."""
        self._place(work.settings)
        context = self._context(work.settings)
        tokens = (self.tokens * (work.prompt // len(self.tokens) + 1))[: work.prompt]
        tally, stopped, drafter = Tally(), threading.Event(), None
        if work.real:
            tokens = self.question
            drafter = context.guessing.drafter(Request(), stopped)
        answer = context.decoder.tokens(tokens, context.choose, tally, stopped, drafter)
        for _ in zip(range(work.answer + 1), answer, strict=False):
            pass
        return Timing(prompt=tally.prefill_seconds, answer=tally.decode_seconds)

    def _place(self, settings: RunSettings) -> None:
        """Load the model where the settings want it."""
        memory = settings.memory
        placed = (memory.gpu_layers, memory.cpu_experts, memory.split, settings.devices)
        if placed == self.placed:
            return
        self.close()
        self.model = load_model(self.bound, self.path, settings)
        self.placed = placed
        vocabulary = Vocabulary(self.bound.llama, self.model)
        self.tokens, self.question = vocabulary.tokens(TEXT), vocabulary.tokens(QUESTION)

    def _context(self, settings: RunSettings) -> _Context:
        key = msgspec.json.encode(settings)
        if key not in self.contexts:
            while len(self.contexts) >= (1 if settings.memory.gpu_layers else CONTEXTS):
                self.contexts.popitem(last=False)[1].close()
            made = _Context(self, settings)
            self.contexts[key] = made
            made.decoder.prefill(self.tokens)  # the first computation allocates
        self.contexts.move_to_end(key)
        return self.contexts[key]

    def close(self) -> None:
        """Free everything but the libraries."""
        for context in self.contexts.values():
            context.close()
        self.contexts.clear()
        if self.model is not None:
            self.bound.llama.llama_model_free(self.model)
            self.model = self.placed = None


def answer(bench: Bench, line: str) -> Timing | Failure:
    """What one question comes to."""
    try:
        return bench.measure(msgspec.json.decode(line, type=Work))
    except SmolpcError as error:
        return Failure(error=str(error))


def main() -> None:
    folder, lib_dir, model, draft, variant = sys.argv[1:]
    bench: Any = None
    with ctrl_c_noted():  # the parent decides when it is over
        for line in sys.stdin:
            try:
                bench = bench or Bench(Path(folder), lib_dir, Path(model), Path(draft), variant)
                found: Timing | Failure = answer(bench, line)
            except SmolpcError as error:  # the engine does not load
                found = Failure(error=str(error))
            sys.stdout.write(f"\n{MARKER}{msgspec.json.encode(found).decode()}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
