"""Fixtures of the simulated model servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sim.llama_server import SimLlamaServer
from tests.sim.ollama import SimOllama


@pytest.fixture
def sim_ollama(
    loopback: None, plain_network: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SimOllama]:
    """Ollama, and the environment of a program that finds it."""
    with SimOllama() as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        yield server


@pytest.fixture
def sim_llama_server(loopback: None, plain_network: None) -> Iterator[SimLlamaServer]:
    with SimLlamaServer() as server:
        yield server
