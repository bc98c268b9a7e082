"""A model in this process: load once, answer many times."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from types import TracebackType

from smolpc.errors import BusyError, UsageError
from smolpc.runtime.bindings import bind
from smolpc.runtime.chat import render
from smolpc.runtime.decoding import Decoder, Tally
from smolpc.runtime.devices import missing_gpu_backends
from smolpc.runtime.loading import create_context, load_model
from smolpc.runtime.settings import fit_context
from smolpc.runtime.threadpool import Threadpool
from smolpc.runtime.vocabulary import Vocabulary
from smolpc.schema.artifact import Artifact
from smolpc.schema.result import RunResult
from smolpc.schema.running import Message

__all__ = ["Engine", "Message"]

Prompt = str | Sequence[Message]


class Engine:
    """One model, loaded with one artifact's engine. Use it as a context manager.

    `artifact` is the manifest of `artifact_dir` as `store.artifacts.open_verified` returned
    it: this class loads the libraries without hashing them again. `context` is in tokens
    (None: what the model was trained for, at most 4096), `gpu_layers` None or -1 means all,
    `trained_context` corrects a GGUF header that promises too much.

    Raises UsageError, TrustError or PrerequisiteError. Not safe for several threads at once.
    """

    def __init__(
        self,
        artifact_dir: Path,
        model_path: Path,
        *,
        artifact: Artifact,
        threads: int,
        context: int | None = None,
        gpu_layers: int | None = None,
        trained_context: int | None = None,
        model_name: str = "",
        model_sha256: str = "",
        notes: tuple[str, ...] = (),
    ) -> None:
        start = time.perf_counter()
        self.artifact = artifact
        self.model_name, self.model_sha256 = model_name or model_path.stem, model_sha256
        self.threads = threads
        self._closers: list[Callable[[], None]] = []
        self._busy = threading.Lock()
        self.bound = bind(artifact_dir, artifact.lib_dir)
        llama = self.bound.llama
        try:
            wanted = -1 if gpu_layers is None else gpu_layers
            self._model = load_model(self.bound, model_path, wanted)
            self._closers.append(lambda: llama.llama_model_free(self._model))
            layers = llama.llama_model_n_layer(self._model) + 1  # the output layer counts too
            self.has_gpu = any(device.is_gpu for device in self.bound.devices)
            self.gpu_layers = (layers if wanted < 0 else min(wanted, layers)) * self.has_gpu
            trained = llama.llama_model_n_ctx_train(self._model)
            self.context, cut = fit_context(context, min(trained, trained_context or trained))
            handle = create_context(self.bound, self._model, self.context, threads)
            self._closers.append(lambda: llama.llama_free(handle))
            pool = Threadpool(self.bound, artifact_dir / artifact.lib_dir, handle, threads)
            self._closers.insert(1, pool.close)  # closed after the context that uses it
        except BaseException:
            self.close()
            raise
        self.vocabulary = Vocabulary(llama, self._model)
        self._decoder = Decoder(self.bound, handle, self.vocabulary)
        self._closers.append(self._decoder.close)
        self._notes = notes + tuple(note for note in (cut, self._gpu_note(wanted)) if note)
        self.load_seconds = time.perf_counter() - start

    def _gpu_note(self, wanted: int) -> str:
        backends = self.artifact.requirements.backends
        missing = missing_gpu_backends(backends, self.bound.devices)
        if missing:
            return (
                f"the GPU is not used: {', '.join(missing)} registered no device, so the"
                " processor does the work"
            )
        if wanted > 0 and not self.has_gpu:
            return f"{wanted} GPU layers were asked for, but this engine has no GPU device"
        return ""

    def prompt_text(self, prompt: Prompt, *, raw: bool = False) -> tuple[str, str]:
        """What the model reads for `prompt`, and a note when its template was not used."""
        self._decoder.require_open()
        template = self.bound.llama.llama_model_chat_template(self._model, None)
        if raw or not template:
            if not isinstance(prompt, str):
                prompt = "\n\n".join(message["content"] for message in prompt)
            return prompt, "" if raw else "the model has no chat template: the prompt went in raw"
        if isinstance(prompt, str):
            prompt = [Message(role="user", content=prompt)]
        vocabulary = self.vocabulary
        return render(template.decode(), prompt, bos=vocabulary.bos, eos=vocabulary.eos), ""

    def stream(
        self,
        prompt: Prompt,
        *,
        max_tokens: int | None = None,
        temperature: float = 0.0,
        seed: int | None = None,
        raw: bool = False,
    ) -> Generator[str, None, RunResult]:
        """The answer, piece by piece; the generator returns the RunResult.

        `max_tokens` None goes on to the end of the context. Temperature 0 is repeatable;
        above it `seed` (None: a new one, reported in the result) decides. Ctrl-C ends it
        with `stop="interrupted"` and what was said so far. Raises UsageError when the
        prompt does not fit the context: it is never cut.
        """
        started = time.perf_counter()
        text, note = self.prompt_text(prompt, raw=raw)
        tokens = self.vocabulary.tokens(text)
        return (
            yield from self.complete(
                tokens,
                max_tokens=max_tokens,
                temperature=temperature,
                seed=seed,
                notes=(note,) if note else (),
                started=started,
            )
        )

    def complete(
        self,
        tokens: Sequence[int],
        *,
        max_tokens: int | None = None,
        temperature: float = 0.0,
        seed: int | None = None,
        ignore_end: bool = False,
        notes: tuple[str, ...] = (),
        started: float | None = None,
    ) -> Generator[str, None, RunResult]:
        """`stream` for a prompt of token ids.

        `ignore_end` goes on after the model's end of turn, so that a measurement has the
        number of tokens it asked for. `started` is the `perf_counter` moment from which the
        time to the first token counts (default: now).
        """
        self._decoder.require_open()
        if not self._busy.acquire(blocking=False):
            raise BusyError(
                "this engine is generating already",
                why="one engine answers one prompt at a time, from one thread",
                next_step="finish or close the first stream, or open a second engine",
            )
        try:
            return (
                yield from self._complete(
                    tokens, max_tokens, temperature, seed, ignore_end, notes, started
                )
            )
        finally:
            self._busy.release()

    def _complete(
        self,
        tokens: Sequence[int],
        max_tokens: int | None,
        temperature: float,
        seed: int | None,
        ignore_end: bool,
        notes: tuple[str, ...],
        started: float | None,
    ) -> Generator[str, None, RunResult]:
        started = time.perf_counter() if started is None else started
        room = self.context - len(tokens)
        self._check_prompt(len(tokens), room)
        limit = room if max_tokens is None else min(max_tokens, room)
        seed = secrets.randbits(32) if seed is None else seed
        tally = Tally()
        yield from self._decoder.run(
            tokens, limit, temperature, seed, ignore_end=ignore_end, tally=tally
        )
        if tally.stop == "length" and limit == room:
            notes += (f"the answer stopped because the context of {self.context} tokens is full",)
        return self._result(len(tokens), tally, started, seed, temperature, notes)

    def generate(
        self,
        prompt: Prompt,
        *,
        max_tokens: int | None = None,
        temperature: float = 0.0,
        seed: int | None = None,
        raw: bool = False,
        on_text: Callable[[str], None] | None = None,
    ) -> RunResult:
        """The whole answer; `on_text` gets each piece as it comes. See `stream`."""
        pieces = self.stream(
            prompt, max_tokens=max_tokens, temperature=temperature, seed=seed, raw=raw
        )
        return drain(pieces, on_text)

    def _check_prompt(self, count: int, room: int) -> None:
        if count == 0:
            raise UsageError("the prompt is empty", next_step="smolpc run --prompt 'your question'")
        if room < 1:
            raise UsageError(
                f"the prompt has {count} tokens, the context holds {self.context}",
                why="one more is needed for the answer, and a prompt is never cut silently",
                next_step=f"shorten it, or: smolpc run --context {count + 512} --prompt '...'"
                " (up to what the model was trained for)",
            )

    def _result(
        self,
        prompt_tokens: int,
        tally: Tally,
        started: float,
        seed: int,
        temperature: float,
        notes: tuple[str, ...],
    ) -> RunResult:
        gpus = [device.backend for device in self.bound.devices if device.is_gpu]
        return RunResult(
            text=tally.text,
            stop=tally.stop,
            prompt_tokens=prompt_tokens,
            generated_tokens=tally.generated,
            time_to_first_token=tally.first_at - started if tally.first_at else 0.0,
            prompt_rate=prompt_tokens / tally.prefill_seconds if tally.prefill_seconds else 0.0,
            decode_rate=tally.decoded / tally.decode_seconds if tally.decode_seconds else 0.0,
            load_seconds=self.load_seconds,
            threads=self.threads,
            context=self.context,
            gpu_layers=self.gpu_layers,
            backend=gpus[0] if gpus and self.gpu_layers else "cpu",
            devices=tuple(f"{device.name} ({device.description})" for device in self.bound.devices),
            model=self.model_name,
            model_sha256=self.model_sha256,
            artifact=self.artifact.key,
            seed=seed,
            temperature=temperature,
            notes=self._notes + notes,
        )

    def close(self) -> None:
        """Free the context and the model; a second call does nothing."""
        while self._closers:
            self._closers.pop()()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def drain(
    pieces: Generator[str, None, RunResult], on_text: Callable[[str], None] | None = None
) -> RunResult:
    """Run a stream to its end and return its result. Ctrl-C in `on_text` ends it cleanly."""
    try:
        piece = next(pieces)
        while True:
            try:
                if on_text is not None:
                    on_text(piece)
            except KeyboardInterrupt as interrupt:
                piece = pieces.throw(interrupt)
            else:
                piece = next(pieces)
    except StopIteration as end:
        result: RunResult = end.value
        return result
