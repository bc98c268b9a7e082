"""Unit tests cannot touch the world: no network, no home folder, no unregistered process.

A test marked `integration` is free of these fences. A test that talks to a server of
`tests/sim` asks for the `loopback` fixture, which opens 127.0.0.1 and nothing else.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# How long an example takes says something about the machine, not about the code.
settings.register_profile("smolpc", deadline=None)
settings.load_profile("smolpc")

REAL_CONNECT = socket.socket.connect
REAL_POPEN = subprocess.Popen

# A test run in the background may have been told to ignore Ctrl-C or a closed terminal, and would
# pass that on to the programs that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Forbidden(AssertionError):
    """A unit test reached for the outside world."""


@pytest.fixture(autouse=True)
def own_home(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Path]:
    """An empty home folder and store for every test; no SMOLPC_ settings leak in."""
    for name in list(os.environ):
        if name.startswith("SMOLPC_"):
            monkeypatch.delenv(name)
    if request.node.get_closest_marker("integration"):
        yield Path.home()
        return
    home = tmp_path_factory.mktemp("home")
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_DIRS"):
        monkeypatch.setenv(name, str(home / name.lower()))
    monkeypatch.setenv("SMOLPC_STORE", str(home / "store"))
    yield home


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("integration"):
        return
    loopback_open = "loopback" in request.fixturenames

    def connect(self: socket.socket, address: Any) -> Any:
        if loopback_open and isinstance(address, tuple) and address[0] in ("127.0.0.1", "::1"):
            return REAL_CONNECT(self, address)
        raise Forbidden(f"a unit test tried to connect to {address!r}")

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture
def loopback() -> None:
    """Opens 127.0.0.1 for this test."""


@pytest.fixture(autouse=True)
def no_processes(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("integration") or "fp" in request.fixturenames:
        return  # `fp` is pytest-subprocess: it refuses what the test did not register

    def popen(self: Any, args: Any, *rest: Any, **kwargs: Any) -> None:
        raise Forbidden(f"a unit test tried to start {args!r}")

    monkeypatch.setattr(subprocess.Popen, "__init__", popen)
