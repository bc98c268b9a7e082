"""The machine beside the players: nobody is measured while another one still spins."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from smolpc.bench import machine
from smolpc.schema.bench import Condition


def slept_until(monkeypatch: pytest.MonkeyPatch, rests_after: float) -> float:
    """Seconds that `settle` waits for a process that works for `rests_after` seconds more."""
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def spent(_: Iterable[object]) -> float:
        return min(now, rests_after)

    monkeypatch.setattr(machine, "REST", 0.06)
    monkeypatch.setattr(machine.time, "sleep", sleep)
    monkeypatch.setattr(machine, "spent", spent)
    machine.settle([])
    return now


@pytest.mark.parametrize("rests_after", [0.0, 0.14, 0.3])
def test_it_waits_until_nobody_works(monkeypatch: pytest.MonkeyPatch, rests_after: float) -> None:
    waited = slept_until(monkeypatch, rests_after)
    assert rests_after <= waited <= rests_after + 2 * machine.REST


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    assert slept_until(monkeypatch, 1e9) == pytest.approx(machine.LOOKS * machine.REST)


def test_a_machine_without_sensors_is_one_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuses() -> None:
        raise NotImplementedError("can't find current frequency file")

    monkeypatch.setattr(machine.psutil, "cpu_freq", refuses)
    monkeypatch.setattr(machine.psutil, "sensors_temperatures", refuses, raising=False)
    monkeypatch.setattr(machine, "CPUS", tmp_path)
    found = machine.condition(3, 0.5)
    assert found == Condition(block=3, other_cpu=0.5, on_battery=found.on_battery)


def test_heat_that_slows_the_processor_down_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counters = [tmp_path / f"cpu{n}/thermal_throttle/core_throttle_count" for n in range(2)]
    for path in counters:
        path.parent.mkdir(parents=True)
        path.write_text("3\n")
    (tmp_path / "intel_pstate").mkdir()
    (tmp_path / "intel_pstate/no_turbo").write_text("1\n")
    monkeypatch.setattr(machine, "CPUS", tmp_path)
    before = machine.throttles()
    assert before == 6
    cool = machine.condition(0, 0.0, before)
    assert (cool.throttled, cool.turbo) == (False, False)
    counters[1].write_text("4\n")
    assert machine.condition(1, 0.0, before).throttled is True
    assert machine.condition(1, 0.0).throttled is None


@pytest.mark.parametrize(("said", "turbo"), [("1", True), ("0", False)])
def test_turbo_of_other_drivers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, turbo: bool
) -> None:
    (tmp_path / "cpufreq").mkdir()
    (tmp_path / "cpufreq/boost").write_text(said)
    monkeypatch.setattr(machine, "CPUS", tmp_path)
    assert machine.condition(0, 0.0).turbo is turbo
