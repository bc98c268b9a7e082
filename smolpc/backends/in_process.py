"""The engine in this process as a backend. Nothing is loaded before the first question."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from smolpc.backends.protocol import LLAMACPP, NotHere
from smolpc.console import Reporter, Silent
from smolpc.errors import SmolpcError, UsageError
from smolpc.models import storage
from smolpc.provision import running
from smolpc.provision.target import host_for
from smolpc.runtime.session import current_artifact
from smolpc.schema.artifact import Artifact
from smolpc.schema.backends import BackendModel, Problem
from smolpc.schema.running import Message, Request
from smolpc.settings import load_config
from smolpc.store import Store

if TYPE_CHECKING:
    from smolpc.runtime.engine import Engine
    from smolpc.runtime.stream import Stream


class InProcess:
    """`command_line` are settings of this call, as `settings.load_config` takes them.
    `allow_cpu_fallback` as in Engine."""

    name = LLAMACPP
    address = ""

    def __init__(
        self,
        command_line: Mapping[str, Any] | None = None,
        reporter: Reporter | None = None,
        *,
        allow_cpu_fallback: bool = False,
    ) -> None:
        self._allow_cpu_fallback = allow_cpu_fallback
        self._given = dict(command_line or {})
        self._reporter = reporter or Silent()
        self._prepared: dict[str, running.Prepared] = {}
        self._engine: Engine | None = None

    @property
    def version(self) -> str:
        try:
            spec = self._artifact.spec
        except SmolpcError:
            return ""
        return f"{spec.engine} {spec.version}"

    def available(self) -> Problem | None:
        """Every file of the engine is hashed for this."""
        try:
            _ = self._artifact
        except SmolpcError as error:
            return Problem.of(error)
        return None

    def models(self) -> tuple[BackendModel, ...]:
        models = Store(load_config(self._given).settings.store_path).models
        return tuple(
            BackendModel(name=one.name, size=one.size, sha256=one.sha256)
            for one in storage.installed(models)
        )

    def resolve(self, model: str) -> BackendModel:
        record = self.prepare(model).record
        return BackendModel(name=record.name, size=record.size, sha256=record.sha256)

    def generate(self, model: str, request: Request) -> Stream:
        prepared = self.prepare(model)
        if self._engine is None:
            from smolpc.runtime.engine import Engine

            self._engine = Engine(
                config=prepared.config, allow_cpu_fallback=self._allow_cpu_fallback
            )
        name = self._engine.load(prepared.record)
        return self._engine.generate(self.with_brought(model, request), model=name)

    def with_brought(self, model: str, request: Request) -> Request:
        """The request with what the model brought along."""
        return with_brought(request, self.prepare(model))

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def prepare(self, model: str) -> running.Prepared:
        """The stored model and what counts for it. Raises NotHere when it is not stored."""
        if model not in self._prepared:
            given = self._given | ({"model": model} if model else {})
            try:
                self._prepared[model] = running.prepare(given, self._reporter)
            except UsageError as error:
                raise NotHere(error.what, why=error.why, next_step=error.next_step) from error
        return self._prepared[model]

    @cached_property
    def _artifact(self) -> Artifact:
        chosen = load_config(self._given).settings
        return current_artifact(Store(chosen.store_path), host_for(chosen))[1]


def with_brought(request: Request, prepared: running.Prepared) -> Request:
    """The system prompt and the stop strings that an imported model brought along, where the
    request does not bring its own; Ollama does the same for its models."""
    if request.raw:
        return request
    stop = tuple(dict.fromkeys((*request.stop, *prepared.stop)))
    messages = request.messages
    if prepared.system and not any(message["role"] == "system" for message in messages):
        asked = messages or (Message(role="user", content=request.prompt),)
        messages = (Message(role="system", content=prepared.system), *asked)
    return msgspec.structs.replace(request, stop=stop, messages=messages)
