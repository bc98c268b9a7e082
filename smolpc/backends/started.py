"""llama-server of this machine's own engine, started when the first question comes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from smolpc.backends.in_process import InProcess
from smolpc.backends.llama_server import LlamaServerBackend, Place
from smolpc.backends.protocol import NotHere
from smolpc.console import Reporter
from smolpc.errors import UsageError
from smolpc.provision.target import catalog_for, host_for
from smolpc.runtime.session import current_artifact
from smolpc.schema.backends import BackendModel, Problem
from smolpc.schema.running import Request
from smolpc.serve import choosing, ports, running
from smolpc.settings import load_config
from smolpc.store import Store, gc


class StartedServer(LlamaServerBackend):
    """One model at a time, for this process only: on the loopback, with a key that nobody else
    knows. Engine and models are those of `own`."""

    def __init__(self, own: InProcess, command_line: Mapping[str, Any], reporter: Reporter) -> None:
        super().__init__(lambda model: start(model, command_line, reporter))
        self._own = own

    @property
    def version(self) -> str:
        return self._own.version

    def available(self) -> Problem | None:
        return self._own.available()

    def models(self) -> tuple[BackendModel, ...]:
        return self._own.models()

    def resolve(self, model: str) -> BackendModel:
        return self._own.resolve(model)

    def with_brought(self, model: str, request: Request) -> Request:
        return self._own.with_brought(model, request)


def start(model: str, command_line: Mapping[str, Any], reporter: Reporter) -> Place:
    """A server for `model` ("": that of the settings), ready to answer. Raises SmolpcError."""
    chosen = load_config(command_line).settings
    store, host = Store(chosen.store_path), host_for(chosen)
    folder, artifact = current_artifact(store, host)
    manifests = tuple(catalog_for(chosen).models.values())
    here = choosing.Here(store=store, host=host, artifact=artifact, manifests=manifests)
    try:
        serving = choosing.choose(here, [model] if model else [], dict(command_line))
    except UsageError as error:
        raise NotHere(error.what, why=error.why, next_step=error.next_step) from error
    key = secrets.token_urlsafe(24)
    with ExitStack() as stack:
        stack.enter_context(gc.in_use(store, artifact.key))
        made = running.server_of(
            folder, serving, host=ports.LOOPBACK, port=0, keys=(key,), store=store
        )
        server = stack.enter_context(made)
        running.wait(server, serving, reporter)
        return Place(server.url, key, stack.pop_all().close, serving.notes)
