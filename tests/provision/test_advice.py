"""What this machine can run: the devices of its engine, and the recommendation."""

from __future__ import annotations

from pathlib import Path

import pytest

from smolpc.catalog import load_catalog
from smolpc.detect import bandwidth
from smolpc.errors import UsageError
from smolpc.provision import advice
from smolpc.schema.host import Host
from smolpc.settings import Settings
from tests.machines import hosts

CATALOG = load_catalog()


@pytest.fixture
def workstation() -> Host:
    return hosts()["zen4-7950x-rtx4090-ubuntu24"]


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    return Settings(store=str(tmp_path / "store"))


def test_without_a_setup_the_engine_counts_that_would_be_built(
    chosen: Settings, workstation: Host
) -> None:
    devices = advice.devices_here(chosen, CATALOG, workstation)
    assert [device.kind for device in devices] == ["cpu", "cuda"]
    plain = Settings(store=chosen.store, profile="linux-x86_64-zen4")
    assert [d.kind for d in advice.devices_here(plain, CATALOG, workstation)] == ["cpu"]


def test_a_machine_without_a_profile_has_its_processor(chosen: Settings) -> None:
    ancient = hosts()["ancient-core2-debian12"]
    assert [d.kind for d in advice.devices_here(chosen, CATALOG, ancient)] == ["cpu"]


def test_the_recommendation_uses_what_was_measured(
    chosen: Settings, workstation: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Settings(store=chosen.store, profile="linux-x86_64-zen4")
    monkeypatch.setattr(bandwidth, "measure", lambda: 1e9)
    measured, slow = advice.recommend_here(plain, CATALOG, workstation, "code")
    assert measured == 1e9
    table, quick = advice.recommend_here(plain, CATALOG, workstation, "code", measure=False)
    assert table == 0
    rates = {row.model: row.rate for row in quick}
    assert all(row.rate < rates[row.model] for row in slow)


def test_purposes() -> None:
    assert advice.purpose_of("chat") == "chat"
    with pytest.raises(UsageError, match="unknown purpose 'cod'"):
        advice.purpose_of("cod")
