"""llama-server of this machine's own engine, started when the first question comes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from smolpc.backends.in_process import InProcess
from smolpc.backends.llama_server import LlamaServerBackend, Place
from smolpc.backends.protocol import NotHere
from smolpc.console import Reporter
from smolpc.errors import UsageError
from smolpc.schema.backends import BackendModel, Problem
from smolpc.schema.running import Request
from smolpc.serve import choosing, running


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
    options = {name: str(value) for name, value in command_line.items()}
    here = choosing.Here.now(options)
    try:
        serving = choosing.choose(here, [model] if model else [], options)
    except UsageError as error:
        raise NotHere(error.what, why=error.why, next_step=error.next_step) from error
    with ExitStack() as stack:
        server = stack.enter_context(running.server_of(here, serving, key=None))
        running.wait(server, serving, reporter)
        return Place(
            server.url,
            server.api_key,
            close=stack.pop_all().close,
            notes=serving.notes,
            lives=lambda: server.ended() is None,
        )
