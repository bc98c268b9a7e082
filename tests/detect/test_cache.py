"""The second look comes from a file, unless something that matters has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from smolpc import detect
from smolpc.detect import cache
from smolpc.detect.recorded import RecordedMachine
from smolpc.schema.host import Host
from tests.machines import load

STORE = Path("/srv/store")


class Counting(RecordedMachine):
    """A recorded machine that counts how often a program was started."""

    runs = 0

    def run(self, *argv: str) -> str | None:
        self.runs += 1
        return super().run(*argv)


@pytest.fixture
def machine() -> Counting:
    found = Counting(load("zen4-7950x-rtx4090-ubuntu24").recording)
    found.recording.environment["PATH"] = "/usr/local/bin:/usr/bin"
    found.recording.libraries["boot"] = "boot-1"
    found.recording.stamps.update(
        {"/usr/bin": "1", "/usr/local/bin": "1", "/usr/bin/cmake": "1 100", "/usr/bin/gcc": "1 9"}
    )
    return found


def look(machine: Counting, folder: Path, *, refresh: bool = False) -> tuple[Host, bool]:
    """The host, and whether the whole machine was asked for it."""
    before = machine.runs
    host = detect.host_of(machine, store=STORE, cache_dir=folder, refresh=refresh)
    return host, machine.runs > before


def test_the_second_look_starts_no_program_and_says_the_same(
    machine: Counting, tmp_path: Path
) -> None:
    first, asked = look(machine, tmp_path)
    assert asked
    assert look(machine, tmp_path) == (first, False)
    assert look(machine, tmp_path, refresh=True) == (first, True)


CHANGES: dict[str, Callable[[Counting], object]] = {
    "reboot": lambda m: m.recording.libraries.update(boot="boot-2"),
    "driver": lambda m: m.recording.files.update({"/proc/driver/nvidia/version": "575.1"}),
    "windows driver": lambda m: m.recording.stamps.update({cache.DRIVER_FOLDERS[0]: "2"}),
    "PATH": lambda m: m.recording.environment.update(PATH="/usr/bin"),
    "upgraded tool": lambda m: m.recording.stamps.update({"/usr/bin/cmake": "2 100"}),
    "removed tool": lambda m: m.recording.stamps.pop("/usr/bin/gcc"),
    "new tool": lambda m: m.recording.stamps.update({"/usr/local/bin": "2"}),
    "new SDK": lambda m: m.recording.environment.update(VULKAN_SDK="/opt/vulkan/1.4.309.0"),
    "another card": lambda m: m.recording.folders.update(
        {"/sys/bus/pci/devices": ("0000:05:00.0",)}
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_matters_is_noticed(machine: Counting, tmp_path: Path, change: str) -> None:
    look(machine, tmp_path)
    CHANGES[change](machine)
    assert look(machine, tmp_path)[1]
    assert not look(machine, tmp_path)[1]


def test_another_store_or_version_is_noticed(
    machine: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(machine, tmp_path)
    other = detect.host_of(machine, store=Path("/mnt/big"), cache_dir=tmp_path)
    assert other.disks[0].path == str(Path("/mnt/big"))
    look(machine, tmp_path)
    monkeypatch.setattr(cache, "__version__", "99")
    assert look(machine, tmp_path)[1]


def test_numbers_that_always_change_are_fresh(machine: Counting, tmp_path: Path) -> None:
    look(machine, tmp_path)
    machine.recording.files["/proc/meminfo"] = "MemTotal: 4000 kB\nMemAvailable: 1000 kB\n"
    machine.recording.space = (500, 7)
    machine.recording.libraries["affinity"] = 3
    host, asked = look(machine, tmp_path)
    assert not asked
    assert host.memory.available == 1000 * 1024
    assert (host.disks[0].free, host.disks[0].filesystem) == (7, "ext4")
    assert host.cpu.usable_cores == 3


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"fingerprint": {}, "host": {}}', b'{"format": 2}'],
)
def test_a_damaged_file_is_replaced(machine: Counting, tmp_path: Path, damage: bytes) -> None:
    look(machine, tmp_path)
    [kept] = tmp_path.glob("host-*.json")
    kept.write_bytes(damage)
    assert look(machine, tmp_path)[1]
    assert not look(machine, tmp_path)[1]
    msgspec.json.decode(kept.read_bytes(), type=cache.Entry)


def test_a_folder_that_cannot_be_written_costs_only_time(machine: Counting, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file is where the folder should be")
    host, asked = look(machine, blocked / "cache")
    assert asked
    assert any("not writable" in gap for gap in host.gaps)
