"""llama-server that the first question starts, with a simulator in the place of the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from smolpc.backends import started
from smolpc.backends.started import StartedServer
from smolpc.console import Silent
from smolpc.schema.running import Request
from smolpc.serve.choosing import Serving
from tests.sim.llama_server import SimLlamaServer

pytest_plugins = ["tests.sim.fixtures", "tests.sim.fixtures_models"]

HELLO = Request(prompt="hello there")


@dataclass
class Process(SimLlamaServer):
    """A server that can be killed."""

    killed: bool = False

    def ended(self, seconds: float = 0) -> int | None:
        return 137 if self.killed else None

    def kill(self) -> None:
        self.killed = True
        self.__exit__(None, None, None)


@pytest.fixture
def processes(
    loopback: None, plain_network: None, monkeypatch: pytest.MonkeyPatch
) -> list[Process]:
    """All that were started."""
    found: list[Process] = []

    @contextmanager
    def server_of(*_: Any, **__: Any) -> Iterator[Process]:
        with Process() as process:
            found.append(process)
            yield process

    here = SimpleNamespace(now=lambda _: None)
    choosing = SimpleNamespace(Here=here, choose=lambda *_: Serving((), 1))
    running = SimpleNamespace(server_of=server_of, wait=lambda *_: None)
    monkeypatch.setattr(started, "choosing", choosing)
    monkeypatch.setattr(started, "running", running)
    return found


def test_a_server_that_was_killed_is_started_again(processes: list[Process]) -> None:
    own: Any = SimpleNamespace(with_brought=lambda model, request: request)
    backend = StartedServer(own, {}, Silent())
    try:
        for _ in range(2):
            assert backend.generate("smollm2", HELLO).result.text == "You said: hello there "
        assert len(processes) == 1
        processes[0].kill()
        assert backend.generate("smollm2", HELLO).result.text == "You said: hello there "
        assert len(processes) == 2
    finally:
        backend.close()
