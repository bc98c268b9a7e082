"""The players of these tests are functions: nobody has to be waited for."""

from __future__ import annotations

import pytest

from smolpc.bench import machine, run


@pytest.fixture(autouse=True)
def nobody_spins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "REST", 0.0)
    monkeypatch.setattr(run, "PAUSE", 0.0)
