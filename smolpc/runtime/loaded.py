"""One model in memory, ready to answer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from weakref import WeakSet

import msgspec

from smolpc.errors import PrerequisiteError, UsageError
from smolpc.runtime import placement
from smolpc.runtime.answering import Answer
from smolpc.runtime.bindings import Bound
from smolpc.runtime.busy import pace_for
from smolpc.runtime.chat import render
from smolpc.runtime.decoding import Decoder
from smolpc.runtime.devices import missing_gpu_backends
from smolpc.runtime.loading import create_context, load_model
from smolpc.runtime.numbers import numpy_meanwhile
from smolpc.runtime.prefix.opening import prefix_for
from smolpc.runtime.sampling import Choose, chooser, likeliest
from smolpc.runtime.settings import fit_context
from smolpc.runtime.speculation.draft import same_tokens
from smolpc.runtime.speculation.modes import Draft, Guessing
from smolpc.runtime.stream import Stream
from smolpc.runtime.threadpool import Threadpool
from smolpc.runtime.turns import Turns
from smolpc.runtime.vocabulary import Vocabulary
from smolpc.schema.artifact import Artifact
from smolpc.schema.base import Value
from smolpc.schema.running import Message, Request, RunSettings

_loading = threading.Lock()  # the engine's log has one reader


class Model(Value, kw_only=True):
    """A model file that was verified, and what is known about it."""

    path: Path
    name: str
    sha256: str = ""
    trained_context: int = 0  # tokens; 0: the file's header decides


class Loaded:
    """The model, a context for it, and the loop over it.

    `settings.memory.context` 0 means what the model was trained for, at most 4096, and
    `gpu_layers` -1 all; `self.settings` has what they became. A GPU that was asked for and is
    not used is a PrerequisiteError, with `allow_cpu_fallback` a note in every result. Raises
    UsageError, TrustError or PrerequisiteError.

    `threads_of`: a model that computes at other times only, whose threads serve this one too;
    two pools on the same cores would spin against each other. It must be closed later.
    """

    context: int  # tokens
    settings: RunSettings  # as they became
    vocabulary: Vocabulary
    pool: Threadpool

    def __init__(
        self,
        bound: Bound,
        artifact: Artifact,
        model: Model,
        settings: RunSettings,
        notes: tuple[str, ...] = (),
        *,
        allow_cpu_fallback: bool = False,
        threads_of: Loaded | None = None,
    ) -> None:
        start = time.perf_counter()
        self.bound, self.artifact, self.model = bound, artifact, model
        self.turns = Turns()
        self._streams: WeakSet[Stream] = WeakSet()  # not yet finished
        self._listing = threading.Lock()  # held while `_streams` changes or is looked through
        self.used_at = time.monotonic()
        self._closers: list[Callable[[], None]] = []
        try:
            with _loading, numpy_meanwhile(), bound.log.recording() as lines:
                context, cut = self._load(settings, threads_of)
            placed = placement.read(lines)
            gpus = placement.used(bound.devices, settings)
            lost = self._gpu_lost(settings.memory.gpu_layers, gpus, placed, allow_cpu_fallback)
            self.bytes, self.layers = placed.total, placed.layers
            pace = pace_for(bound.llama, context, self.settings)
            self.decoder = Decoder(bound, self.handle, context, pace)
            if not placed.weights_on_gpu:
                self.gpu_layers = 0
            self.guessing = Guessing(
                settings.speculation,
                self.decoder.verifier,
                self.vocabulary,
                on_gpu=self.gpu_layers > 0,
            )
            self.prefix = self.decoder.prefix = prefix_for(self)
        except BaseException:
            self._free()
            raise
        backends = {device.name: device.backend for device in bound.devices}
        self.backend = backends[gpus[0]] if self.gpu_layers else "cpu"
        self.notes = notes + tuple(note for note in (cut, lost, self._openvino_note()) if note)
        self.load_seconds = time.perf_counter() - start

    def _load(self, settings: RunSettings, threads_of: Loaded | None) -> tuple[Any, str]:
        """The context, and what was cut from it; `handle`, `settings` and others are set."""
        bound, llama = self.bound, self.bound.llama
        self.handle = load_model(bound, self.model.path, settings)
        self._closers.append(lambda: llama.llama_model_free(self.handle))
        layers = llama.llama_model_n_layer(self.handle) + 1  # the output layer counts too
        has_gpu = any(device.is_gpu for device in bound.devices)
        asked = settings.memory.gpu_layers
        self.gpu_layers = (layers if asked < 0 else min(asked, layers)) * has_gpu
        trained = llama.llama_model_n_ctx_train(self.handle)
        trained = min(trained, self.model.trained_context or trained)
        self.context, cut = fit_context(settings.memory.context or None, trained)
        memory = msgspec.structs.replace(
            settings.memory, context=self.context, gpu_layers=self.gpu_layers
        )
        self.settings = msgspec.structs.replace(settings, memory=memory)
        context = create_context(bound, self.handle, self.settings)
        self._closers.append(lambda: llama.llama_free(context))
        if threads_of is not None:
            threads_of.pool.attach(context)
        else:
            folder = bound.folder / self.artifact.lib_dir
            counts = settings.threads, settings.batch_threads
            self.pool = Threadpool(bound, folder, context, *counts)
            self._closers.insert(1, self.pool.close)  # closed after the context that uses it
        self.vocabulary = Vocabulary(llama, self.handle)
        self._closers.append(self.vocabulary.close)
        self._template = (llama.llama_model_chat_template(self.handle, None) or b"").decode()
        return context, cut

    def _openvino_note(self) -> str:
        """OpenVINO is one device for the engine; its own variable says what computes."""
        if self.backend != "openvino":
            return ""
        return f"OpenVINO computes on: {os.environ.get('GGML_OPENVINO_DEVICE') or 'CPU'}"

    def _gpu_lost(
        self, asked: int, gpus: tuple[str, ...], placed: placement.Placement, allowed: bool
    ) -> str:
        backends = self.artifact.requirements.backends
        missing = missing_gpu_backends(backends, self.bound.devices)
        why = placement.fallback(asked, missing, gpus, placed)
        if why and not allowed:
            raise PrerequisiteError(
                "the GPU that was asked for is not used",
                why=why,
                next_step="smolpc doctor   (or, on the processor: smolpc run --cpu-fallback ...)",
            )
        return f"the GPU is not used, so the processor does the work: {why}" if why else ""

    @property
    def busy(self) -> bool:
        """Whether an answer is under way that somebody still reads."""
        with self._listing:
            return any(not stream.done for stream in self._streams)

    def chooser(
        self, request: Request, prompt: Sequence[int], seed: int
    ) -> AbstractContextManager[Choose]:
        """What chooses the tokens of one answer, as the request's sampling wants it."""
        return chooser(self.bound, self.vocabulary, self.decoder.context, request, prompt, seed)

    def draft_with(self, draft: Loaded) -> None:
        """Let `draft`, which shares this one's threads, guess tokens; it is closed with this one.

        Raises UsageError when its tokens are others; it is closed then, too.
        """
        self._closers.append(draft.close)
        self.bytes += draft.bytes
        if not same_tokens(self.vocabulary, draft.vocabulary):
            raise UsageError(
                f"{draft.model.name} cannot draft for {self.model.name}",
                why="their tokens are not the same: both must belong to one family",
                next_step="smolpc config.unset draft_model",
            )
        choose = likeliest(self.bound.llama, draft.decoder.context, draft.vocabulary)
        self.guessing.draft = Draft(draft.decoder, choose)

    def prompt_text(self, request: Request) -> tuple[str, str]:
        """What the model reads for `request`, and a note when its template was not used."""
        self.decoder.require_open()
        messages = request.messages
        if request.raw or not self._template:
            text = "\n\n".join(message["content"] for message in messages) or request.prompt
            note = "the model has no chat template: the prompt went in raw"
            return text, "" if request.raw else note
        messages = messages or (Message(role="user", content=request.prompt),)
        bos, eos = self.vocabulary.bos, self.vocabulary.eos
        return render(self._template, messages, bos=bos, eos=eos), ""

    def prompt_tokens(self, request: Request) -> tuple[list[int], str]:
        """The token ids of `request`'s prompt, and the note of `prompt_text`."""
        text, note = self.prompt_text(request)
        return self.vocabulary.tokens(text), note

    def generate(self, request: Request) -> Stream:
        """The answer to `request`. Raises UsageError when its prompt does not fit."""
        tokens, note = self.prompt_tokens(request)
        return self.complete(tokens, request, notes=(note,) if note else ())

    def complete(
        self,
        tokens: Sequence[int],
        request: Request,
        *,
        ignore_end: bool = False,
        notes: tuple[str, ...] = (),
    ) -> Stream:
        """`generate` for a prompt of token ids instead of the request's text.

        `ignore_end` goes on after the model's end of turn, so that a measurement has the
        number of tokens it asked for.
        """
        self.decoder.require_open()
        self.used_at = time.monotonic()
        stopped = threading.Event()
        answer = Answer(self, request, tokens, notes)
        stream = Stream(answer.pieces(stopped, ignore_end=ignore_end), stopped)
        with self._listing:
            self._streams.add(stream)
        return stream

    def close(self) -> None:
        """Free the memory, after the engine call that is under way; a second call is nothing."""
        self.decoder.close(self._free)
        self.prefix.close()

    def _free(self) -> None:
        while self._closers:
            self._closers.pop()()
