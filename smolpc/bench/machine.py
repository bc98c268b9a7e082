"""What the machine is like while it is measured: its own speed, other programs, heat, power."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from smolpc.bench import quiet
from smolpc.bench.gpus import Gpus
from smolpc.schema.bench import Condition

ANCHOR = 32 << 20  # bytes that each processor hashes: some hundredths of a second
ROUNDS = 7  # of that: the median of a few does not see a single time slice
SAMPLED = 0.1  # seconds between two looks at the memory
REST = 0.06  # seconds between two looks at whether a process rests
RESTING = 0.02  # processor seconds in that time; systems count in hundredths
LOOKS = 30
POWER = Path("/sys/class/powercap")
CPUS = Path("/sys/devices/system/cpu")


def anchor(processors: int) -> float:
    """Seconds for a fixed piece of work on all processors at once."""
    data, took = bytes(ANCHOR), list[float]()
    with ThreadPoolExecutor(processors) as pool:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            list(pool.map(lambda _: hashlib.sha256(data).digest(), range(processors)))
            took.append(time.perf_counter() - started)
    return median(took)


def tree(pids: Iterable[int]) -> list[psutil.Process]:
    """These processes and all that descend from them, as far as they still run."""
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        try:
            first = psutil.Process(pid)
            for process in (first, *first.children(recursive=True)):
                found[process.pid] = process
        except psutil.Error:
            continue
    return list(found.values())


def spent(processes: Iterable[psutil.Process]) -> float:
    """Processor seconds that they have used so far."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
            total += times.user + times.system
        except psutil.Error:
            continue
    return total


def memory(processes: Iterable[psutil.Process]) -> int:
    """Bytes in memory; what they share counts for each of them."""
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total


class Watch:
    """Watches the processes of one player while it answers, as a context manager. `cpu`:
    processors in use, `peak`: bytes in memory, `vram`: bytes on GPUs, `energy`: joules of all
    processors and GPUs that tell it, with what others used of them. None: nobody tells."""

    def __init__(self, pids: Iterable[int], gpus: Gpus) -> None:
        self._processes, self._gpus = tree(pids), gpus
        self._pids = {process.pid for process in self._processes}
        self._ended = threading.Event()
        self.peak, self.cpu = 0, 0.0
        self.vram: int | None = None
        self.energy: float | None = None

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._before = spent(self._processes)
        self._joules = (joules(), self._gpus.joules())
        self._started = time.perf_counter()
        self._thread.start()
        return self

    def _look(self) -> None:
        while True:
            self.peak = max(self.peak, memory(self._processes))
            if (vram := self._gpus.memory(self._pids)) is not None:
                self.vram = max(self.vram or 0, vram)
            if self._ended.wait(SAMPLED):
                return

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self._started
        self.cpu = (spent(self._processes) - self._before) / seconds
        used = [
            after - before
            for before, after in zip(self._joules, (joules(), self._gpus.joules()), strict=True)
            if before is not None and after is not None and after >= before
        ]
        self.energy = sum(used) if used else None
        self._ended.set()
        self._thread.join()


def joules() -> float | None:
    """The energy counters of all processor packages; None where nobody may read them."""
    total, seen = 0, False
    for package in POWER.glob("intel-rapl:?"):
        try:
            total += int((package / "energy_uj").read_text())
        except (OSError, ValueError):
            return None
        seen = True
    return total / 1e6 if seen else None


class Others:
    """How much other programs work while one player answers. `ours` gives the processes that do
    not count; where a player works in processes that nobody knows, it cannot be told."""

    def __init__(self, ours: Callable[[], Iterable[int]]) -> None:
        self._ours = ours
        self._seconds = self._busy = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """What happens inside counts."""
        first = quiet.snapshot(spent(tree(self._ours())))
        yield
        last = quiet.snapshot(spent(tree(self._ours())))
        programs, stolen = quiet.between(first, last)
        if programs is not None:
            seconds = last.clock - first.clock
            self._seconds += seconds
            self._busy += (programs + stolen) * seconds

    def busy(self) -> float:
        """Processors that others, and the host of a virtual machine, kept busy since the last
        call."""
        found = self._busy / self._seconds if self._seconds else 0.0
        self._seconds = self._busy = 0.0
        return found


def settle(pids: Iterable[int]) -> None:
    """Wait until these processes rest: the threads of an engine spin for a while after an answer,
    and would slow down what is measured next."""
    processes = tree(pids)
    for _ in range(LOOKS):
        before = spent(processes)
        time.sleep(REST)
        if spent(processes) - before < RESTING:
            return


def condition(block: int, other_cpu: float, throttled_before: int | None = None) -> Condition:
    """What sensors say now. `throttled_before`: `throttles` when the block began."""
    frequency, battery, throttled = _told("cpu_freq"), _told("sensors_battery"), throttles()
    counted = throttled is not None and throttled_before is not None
    return Condition(
        block=block,
        other_cpu=round(other_cpu, 3),
        frequency=frequency.current if frequency and frequency.current else None,
        temperature=_hottest(),
        on_battery=None if battery is None else not battery.power_plugged,
        governor=_in_file(CPUS / "cpu0/cpufreq/scaling_governor"),
        turbo=_turbo(),
        throttled=throttled != throttled_before if counted else None,
    )


def _told(sensor: str) -> Any:
    """What psutil says; None where the system has no such sensor or lets nobody read it."""
    try:
        return getattr(psutil, sensor)()
    except (AttributeError, OSError, RuntimeError):
        return None


def throttles() -> int | None:
    """How often heat slowed processors down since the system started; None: it does not say."""
    found = [_in_file(path) for path in CPUS.glob("cpu*/thermal_throttle/*_throttle_count")]
    return sum(map(int, found)) if found and all(one.isdigit() for one in found) else None


def _turbo() -> bool | None:
    boost, off = _in_file(CPUS / "cpufreq/boost"), _in_file(CPUS / "intel_pstate/no_turbo")
    return boost == "1" if boost else off == "0" if off else None


def _hottest() -> float | None:
    sensors: dict[str, Any] = _told("sensors_temperatures") or {}
    values = [
        one.current
        for name, found in sensors.items()
        if name in ("coretemp", "k10temp", "zenpower", "cpu_thermal")
        for one in found
    ]
    return max(values, default=None)


def _in_file(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
