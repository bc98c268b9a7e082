"""Models in this process: load once, answer many times."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Unpack

import msgspec

from smolpc.console import human_bytes
from smolpc.errors import PrerequisiteError, UsageError
from smolpc.runtime.options import Options, Prompt, as_request
from smolpc.runtime.settings import draft_settings
from smolpc.runtime.stream import AsyncStream, Stream
from smolpc.schema.running import Message, Request, RunSettings

if TYPE_CHECKING:
    from smolpc.runtime.bindings import Bound
    from smolpc.runtime.loaded import Loaded, Model
    from smolpc.runtime.session import ModelName
    from smolpc.schema.host import Host
    from smolpc.schema.running_report import Running
    from smolpc.settings import Config, Settings

__all__ = ["Engine", "Message"]


class Engine:
    """The engine of this machine with one or more models. Make it with `Engine.open`.

    Safe to use from several threads: a model answers one prompt at a time, and callers wait
    for their turn in the order they came.
    """

    @classmethod
    def open(
        cls,
        model: ModelName = "",
        *,
        settings: RunSettings | None = None,
        artifact: Path | None = None,
        config: Config | Settings | None = None,
        host: Host | None = None,
        memory_budget: int | None = None,
        allow_cpu_fallback: bool = False,
    ) -> Engine:
        """An engine with `model` loaded: a stored model's name, or a GGUF file's Path ("": the
        model of the last setup).

        `settings` None: what fits this machine within `config` (see `plan.running`).
        `artifact`: an artifact's folder, None: that of the last setup. `config` None: the user's
        settings of smolpc. Raises UsageError, TrustError or PrerequisiteError.

        `memory_budget`: bytes that all loaded models may take together, None: that of the
        settings, else what is free. A GPU that was asked for and cannot be used is an error, or
        with `allow_cpu_fallback` a note in every result.
        """
        engine = cls(
            artifact=artifact,
            config=config,
            host=host,
            memory_budget=memory_budget,
            allow_cpu_fallback=allow_cpu_fallback,
        )
        try:
            engine.load(model, settings=settings)
        except BaseException:
            engine.close()
            raise
        return engine

    def __init__(
        self,
        *,
        artifact: Path | None = None,
        config: Config | Settings | None = None,
        host: Host | None = None,
        memory_budget: int | None = None,
        allow_cpu_fallback: bool = False,
    ) -> None:
        from smolpc.runtime.session import Session

        self._session = Session(config, host)
        self._models: dict[str, Loaded] = {}
        self._names: dict[ModelName, str] = {}  # what was asked for: the model's name
        self._default: str | None = None
        self._changing = threading.RLock()
        self._closed = False
        self._bound: Bound | None = None
        self._budget, self._allow_cpu = memory_budget, allow_cpu_fallback
        self._resources = ExitStack()
        try:
            engine = self._session.artifact(artifact)
            self._folder, self.artifact = self._resources.enter_context(engine)
        except BaseException:
            self._resources.close()
            raise

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the loaded models; the first is what `generate` uses by default."""
        return tuple(sorted(self._models, key=lambda name: name != self._default))

    @property
    def bound(self) -> Bound:
        """The libraries, which the first model brings in."""
        if self._bound is None:
            raise UsageError("no model is loaded", next_step="engine.load(...) one first")
        return self._bound

    def _bind(self, first: Model, settings: RunSettings | None) -> None:
        """Load the libraries; the first model decides which CPU library of an all-variants
        engine that is."""
        if self._bound is None:
            from smolpc.runtime.bindings import bind

            if settings is None:
                variant = self._session.cpu_variant(first, self.artifact)
            else:
                variant = settings.cpu_variant
            self._bound = bind(self._folder, self.artifact.lib_dir, cpu_variant=variant)

    def load(self, model: ModelName = "", *, settings: RunSettings | None = None) -> str:
        """Load one more model and return its name; one that is loaded already stays as it is.

        The first model is the default of `generate`. Where memory is short, those models leave
        that were not used for longest; one that is answering stays, and all stay when not even that
        would suffice. Raises as `open` does, and PrerequisiteError when the budget is too small.
        """
        with self._changing:
            self._require_open()
            if self._names.get(model) in self._models:
                return self._names[model]
            found = self._named(self._session.model(model))
            if found.name not in self._models:
                self._bind(found, settings)
                if self._budget is None:
                    self._budget = self._session.chosen.memory_budget_bytes or None
                chosen, notes = (settings, ()) if settings else self._choose(found, model)
                self._make_room(found, chosen)
                self._models[found.name] = self._load(found, chosen, notes)
                if self._default is None:
                    self._default = found.name
            self._names[model] = found.name
            return found.name

    def _named(self, found: Model) -> Model:
        """`found`, with a number behind its name where another file is loaded under that name."""
        name, number = found.name, 1
        while name in self._models and self._models[name].model.path != found.path:
            number += 1
            name = f"{found.name}-{number}"
        return msgspec.structs.replace(found, name=name)

    def _choose(self, found: Model, asked_as: ModelName) -> tuple[RunSettings, tuple[str, ...]]:
        """What fits beside the loaded models; those leave that stand in its way, but none for a
        model that would not fit without them either."""

        def running(freed: int = 0) -> Running:
            devices = self.bound.ggml.devices()  # with what is free now
            return self._session.run_settings(found, asked_as, self.artifact, devices, freed)

        possible = False
        while True:
            oldest = self._oldest_idle()
            try:
                made = running()
            except PrerequisiteError:
                if oldest is None:
                    raise
            else:
                if oldest is None or made.choice.verdict != "does-not-fit":
                    return made.settings, made.notes
            if not possible:
                self._needed(found, running(freed=self._bytes(busy=False)).settings)
                possible = True
            self.unload(oldest)

    def _oldest_idle(self) -> str | None:
        """The loaded model that was not used for longest and is not answering."""
        idle = [name for name, loaded in self._models.items() if not loaded.busy]
        return min(idle, key=lambda name: self._models[name].used_at, default=None)

    def _bytes(self, *, busy: bool) -> int:
        """What the loaded models take that are answering, or those that are not."""
        return sum(loaded.bytes for loaded in self._models.values() if loaded.busy == busy)

    def _load(self, model: Model, wanted: RunSettings, notes: tuple[str, ...]) -> Loaded:
        """With fewer layers on a GPU whose memory does not suffice, and that is noted."""
        from smolpc.runtime.loaded import Loaded
        from smolpc.runtime.placing import Smaller, place

        def load(settings: RunSettings, steps: tuple[str, ...]) -> Loaded:
            return Loaded(
                self.bound,
                self.artifact,
                model,
                settings,
                notes + steps,
                allow_cpu_fallback=self._allow_cpu,
            )

        draft = self._draft_for(wanted)  # one that is missing is said before anything is loaded
        loaded = place(load, wanted, Smaller(self.bound, model, lambda: self._session.host))
        if draft is not None:
            try:
                self._add_draft(loaded, draft)
            except BaseException:
                loaded.close()
                raise
        return loaded

    def _draft_for(self, settings: RunSettings) -> Model | None:
        """The model that guesses for another one with these settings; on a GPU nothing does."""
        if settings.speculation != "draft" or settings.memory.gpu_layers:
            return None
        return self._session.model(settings.draft_model) if settings.draft_model else None

    def _add_draft(self, loaded: Loaded, draft: Model) -> None:
        from smolpc.runtime.loaded import Loaded

        settings = draft_settings(loaded.settings)
        loaded.draft_with(Loaded(self.bound, self.artifact, draft, settings, threads_of=loaded))

    def _make_room(self, model: Model, settings: RunSettings) -> None:
        """Unload what was not used for longest until `model` fits."""
        if self._budget is None and not self._models:
            return  # nothing could leave, and the engine says it when memory is short
        need = self._needed(model, settings)
        while self._over(need) > 0 and (oldest := self._oldest_idle()) is not None:
            self.unload(oldest)

    def _needed(self, model: Model, settings: RunSettings) -> int:
        """The bytes of `model`, with the one that drafts for it. Raises PrerequisiteError when
        the budget does not suffice for them, whoever leaves."""
        from smolpc.runtime import memory

        need = memory.needed(model.path, settings.memory)
        if (draft := self._draft_for(settings)) is not None:
            need += memory.needed(draft.path, draft_settings(settings).memory)
        over = 0 if self._budget is None else need + self._bytes(busy=True) - self._budget
        if over > 0:
            raise PrerequisiteError(
                f"{model.name} does not fit into the memory budget",
                why=f"it takes about {human_bytes(need)}, {human_bytes(over)} more than other"
                " models could leave to it",
                next_step="give the engine a larger memory_budget, or the model a shorter context",
            )
        return need

    def _over(self, need: int) -> int:
        """By how many bytes `need` more is too much."""
        if self._budget is None:
            import psutil

            return int(need - psutil.virtual_memory().available)
        return need + sum(loaded.bytes for loaded in self._models.values()) - self._budget

    def unload(self, model: ModelName) -> None:
        """Free a model's memory. An answer that is under way ends with an error."""
        with self._changing:
            name = self._name(model)
            self._names = {asked: its for asked, its in self._names.items() if its != name}
            self._models.pop(name).close()
            if name == self._default:
                self._default = next(iter(self._models), None)

    def loaded(self, model: ModelName = "") -> Loaded:
        """A loaded model, with its vocabulary and its token loop ("": the default)."""
        with self._changing:
            self._require_open()
            return self._models[self._name(model)]

    def _name(self, model: ModelName) -> str:
        name = self._default if model == "" else self._names.get(model, model)
        if not isinstance(name, str) or name not in self._models:
            raise UsageError(
                f"the model {model or 'of the last setup'} is not loaded",
                why=f"loaded: {', '.join(self._models) or 'none'}",
                next_step="engine.load(...) it first",
            )
        return name

    def generate(
        self, prompt: Prompt, *, model: ModelName = "", **options: Unpack[Options]
    ) -> Stream:
        """The answer to a text, a conversation or a Request, as a stream of pieces.

        Temperature 0, the default, is repeatable; above it `seed` decides. Ctrl-C ends it with
        `stop="interrupted"` and what was said so far. Raises UsageError when the prompt does
        not fit the context: it is never cut.
        """
        return self._generate(model, as_request(prompt, options))

    def _generate(self, model: ModelName, request: Request) -> Stream:
        with self._changing:  # until it is busy, so that no other thread's `load` takes its place
            return self.loaded(model).generate(request)

    def agenerate(
        self, prompt: Prompt, *, model: ModelName = "", **options: Unpack[Options]
    ) -> AsyncStream:
        """`generate` for asyncio: the model works in a thread of its own."""
        request = as_request(prompt, options)
        return AsyncStream(lambda: self._generate(model, request))

    def complete(
        self,
        tokens: Sequence[int],
        *,
        model: ModelName = "",
        ignore_end: bool = False,
        **options: Unpack[Options],
    ) -> Stream:
        """`generate` for a prompt of token ids. `ignore_end` goes on after the model's end of
        turn, so that a measurement has the number of tokens it asked for."""
        request: Request = as_request("", options)
        with self._changing:
            return self.loaded(model).complete(tokens, request, ignore_end=ignore_end)

    def count_tokens(
        self, prompt: Prompt, *, model: ModelName = "", raw: bool | None = None
    ) -> int:
        """How many tokens of context a prompt takes: a text as it is, messages and a Request
        with the model's chat template around them (`raw` says it otherwise)."""
        plain = isinstance(prompt, str) if raw is None else raw
        request = as_request(prompt, {"raw": True} if plain else {})
        return len(self.loaded(model).prompt_tokens(request)[0])

    def close(self) -> None:
        """Free all memory, after the engine call that is under way. A second call is nothing."""
        self._closed = True
        with self._changing:
            while self._models:
                self._models.popitem()[1].close()
            self._resources.close()

    def _require_open(self) -> None:
        if self._closed:
            raise UsageError("the engine is closed", next_step="open it again")

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
