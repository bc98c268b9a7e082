"""Fixtures of the download manager's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smolpc import net
from smolpc.console import Silent
from smolpc.net import Fetched, NetSettings
from tests.net.fetch.common import (
    SHA,
    SIZE,
    SMALL,
    Bring,
)
from tests.sim.server import (
    SimServer,
)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "Ablage für Schüler" / "file.bin"


@pytest.fixture
def bring(target: Path, quick: NetSettings) -> Bring:
    def run(*urls: str, **changes: Any) -> Fetched:
        given: dict[str, Any] = {
            "sha256": SHA,
            "size": SIZE,
            "reporter": Silent(),
            "title": "download",
            "settings": quick,
            "options": SMALL,
        }
        return net.download(list(urls), target, **(given | changes))

    return run


@pytest.fixture
def second(sim_server: SimServer) -> Any:
    with SimServer() as server:
        yield server
