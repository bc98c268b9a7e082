"""The size of the last-level cache, as each system tells it."""

from __future__ import annotations

import shlex

from smolpc.detect import macos
from smolpc.detect.processor_cache import WINDOWS, last_level, of_mac, size_in
from smolpc.detect.recorded import RecordedMachine, Recording
from smolpc.detect.topology import CPUS
from tests.machines import load


def linux(*caches: tuple[int, int, str, str, str]) -> RecordedMachine:
    """Of (cpu, level, type, size, shared_cpu_list) each."""
    files: dict[str, str | None] = {}
    folders: dict[str, tuple[str, ...] | None] = {}
    for number, (cpu, level, kind, size, shared) in enumerate(caches):
        folder = f"{CPUS}/cpu{cpu}/cache"
        folders[folder] = (*(folders.get(folder) or ()), f"index{number}")
        said = {"level": str(level), "type": kind, "size": size, "shared_cpu_list": shared}
        files |= {f"{folder}/index{number}/{name}": f"{text}\n" for name, text in said.items()}
    folders[CPUS] = (*sorted({f"cpu{cpu}" for cpu, *_ in caches}), "cpufreq", "online")
    return RecordedMachine(Recording(system="linux", arch="x86_64", files=files, folders=folders))


def test_a_shared_cache_counts_once() -> None:
    machine = linux(
        *((cpu, 2, "Unified", "2048K", str(cpu)) for cpu in range(2)),
        *((cpu, 3, "Unified", "32768K", "0-1") for cpu in range(2)),
    )
    assert last_level(machine) == 32 << 20


def test_every_socket_has_its_own_and_the_highest_level_counts() -> None:
    machine = linux(
        (0, 1, "Data", "32K", "0"),
        (0, 1, "Instruction", "32K", "0"),
        (0, 2, "Unified", "1M", "0"),
        (1, 2, "Unified", "1M", "1"),
    )
    assert last_level(machine) == 2 << 20


def test_a_machine_that_says_nothing_has_an_unknown_cache() -> None:
    assert last_level(linux()) == 0
    assert last_level(RecordedMachine(Recording(system="win32", arch="AMD64"))) == 0
    assert last_level(RecordedMachine(Recording(system="darwin", arch="arm64"))) == 0


def test_windows_says_kibibytes() -> None:
    commands: dict[str, str | None] = {shlex.join(WINDOWS): "24576\r\n"}
    machine = RecordedMachine(Recording(system="win32", arch="AMD64", commands=commands))
    assert last_level(machine) == 24 << 20


def test_macs() -> None:
    assert of_mac({"hw.l3cachesize": "12582912", "hw.packages": "1"}) == 12 << 20
    apple = {
        "hw.perflevel0.physicalcpu": "8",
        "hw.perflevel0.cpusperl2": "4",
        "hw.perflevel0.l2cachesize": "16777216",
        "hw.l2cachesize": "4194304",
    }
    assert of_mac(apple) == 32 << 20
    assert of_mac({"hw.l2cachesize": "4194304"}) == 4 << 20
    assert of_mac(macos.sysctl(load("macbook-m3-macos15"))) >= 0


def test_sizes() -> None:
    assert [size_in(text) for text in ("48K\n", "1M", "512", "", None, "K", "-1K")] == [
        *(48 << 10, 1 << 20, 512),
        *(0, 0, 0, 0),
    ]
