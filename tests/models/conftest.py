"""Fixtures of the models' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from smolpc.net import NetSettings
from tests.models.school import School
from tests.sim.server import SimServer


@pytest.fixture
def school(tmp_path: Path, sim_server: SimServer, quick: NetSettings) -> School:
    return School(tmp_path, sim_server, quick)
