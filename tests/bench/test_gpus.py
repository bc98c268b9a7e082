"""Memory and energy of NVIDIA GPUs, with a driver that tells what a test wants."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from smolpc.bench import machine
from smolpc.bench.gpus import Gpus


class NVMLError(Exception):
    """As the library calls it."""


class Driver:
    """`processes`: (process, bytes or None) of each GPU. `energy`: millijoules, None: refused."""

    NVMLError = NVMLError

    def __init__(
        self,
        processes: Iterable[list[tuple[int, int | None]]] = (),
        energy: int | None = 5000,
        there: bool = True,
    ) -> None:
        self.processes, self.energy, self.there = list(processes), energy, there
        self.open = 0

    def nvmlInit(self) -> None:
        if not self.there:
            raise NVMLError("no driver")
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.processes)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:
        return [
            SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in self.processes[handle]
        ]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:
        if self.energy is None:
            raise NVMLError("not supported")
        return self.energy


def use(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", driver)  # type: ignore[arg-type]


def test_the_memory_of_these_processes_on_all_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver([[(1, 100), (2, 50)], [(1, 7), (3, None)]])
    use(monkeypatch, driver)
    with Gpus() as gpus:
        assert gpus.memory({1}) == 107
        assert gpus.memory({1, 2}) == 157
        assert gpus.memory({3}) is None  # the driver does not tell
        assert gpus.memory({9}) is None
        assert gpus.joules() == 10
    assert driver.open == 0


@pytest.mark.parametrize("driver", [Driver(there=False), Driver()], ids=["no driver", "no GPU"])
def test_without_a_gpu_nothing_is_known(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    use(monkeypatch, driver)
    with Gpus() as gpus:
        assert gpus.memory({1}) is None
        assert gpus.joules() is None
    assert driver.open == 0


def test_a_gpu_that_does_not_count_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Driver([[]], energy=None))
    with Gpus() as gpus:
        assert gpus.joules() is None


def test_a_player_is_watched_on_the_gpu_too(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver([[(1234, 10**9)]], energy=5000)
    use(monkeypatch, driver)
    monkeypatch.setattr(machine, "tree", lambda _: [SimpleNamespace(pid=1234)])
    monkeypatch.setattr(machine, "spent", lambda _: 0.0)
    monkeypatch.setattr(machine, "memory", lambda _: 1)
    monkeypatch.setattr(machine, "joules", lambda: None)
    with Gpus() as gpus, machine.Watch([1234], gpus) as watch:
        driver.energy = 7500
    assert (watch.vram, watch.energy) == (10**9, 2.5)
