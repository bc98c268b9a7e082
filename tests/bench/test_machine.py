"""The machine beside the players: nobody is measured while another one still spins."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from smolpc.bench import machine


def slept_until(monkeypatch: pytest.MonkeyPatch, rests_after: float) -> float:
    """Seconds that `settle` waits for a process that works for `rests_after` seconds more."""
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def spent(_: Iterable[object]) -> float:
        return min(now, rests_after)

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
