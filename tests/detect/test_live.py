"""The live machine's answers, inside the fences of the unit tests, and one real look."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pytest_subprocess import FakeProcess

from smolpc.detect import detect, host
from smolpc.detect.live import LiveMachine, nearest
from smolpc.detect.recorded import RecordedMachine


def test_files_and_folders(tmp_path: Path) -> None:
    machine = LiveMachine()
    file = tmp_path / "fé y.txt"
    file.write_bytes(b"caf\xc3\xa9 \xff")
    assert machine.read(str(file)) == "café �"
    assert machine.read(str(tmp_path)) is None
    assert machine.read(str(tmp_path / "none")) is None
    assert machine.listdir(str(tmp_path)) == ("fé y.txt",)
    assert machine.listdir(str(file)) is None
    assert machine.stamp(str(tmp_path / "none")) is None
    before = machine.stamp(str(file))
    file.write_bytes(b"longer than it was before")
    assert before != machine.stamp(str(file))


def test_space_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    machine = LiveMachine()
    space = machine.space(str(tmp_path / "a" / "b"))
    assert space is not None
    assert space[0] >= space[1] > 0
    assert nearest(str(tmp_path / "a" / "b")) == tmp_path
    assert machine.filesystem(str(tmp_path / "a"))


def test_a_program_is_asked_once(fp: FakeProcess) -> None:
    fp.register(["tool", "--version"], stdout="tool 1.2\n")
    machine = LiveMachine()
    assert machine.run("tool", "--version") == "tool 1.2\n"
    assert machine.run("tool", "--version") == "tool 1.2\n"
    assert fp.call_count(["tool", "--version"]) == 1


def test_a_program_that_fails_or_is_missing_answers_nothing(fp: FakeProcess) -> None:
    fp.register(["fails"], stdout="error", returncode=3)
    fp.allow_unregistered(True)
    machine = LiveMachine()
    assert machine.run("fails") is None
    assert machine.run("no-program-has-this-name") is None


def test_programs_beside_the_interpreter_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = LiveMachine().which("pytest")
    assert found is not None
    assert Path(found).parent == Path(sys.executable).parent


def test_libraries_answer_plain_data() -> None:
    machine = LiveMachine()
    memory = machine.library("memory")
    assert 0 < memory["available"] <= memory["total"]
    assert machine.library("affinity") >= 1
    assert machine.library("boot") == machine.library("boot")


@pytest.mark.integration
def test_this_machine(tmp_path: Path) -> None:
    recording = tmp_path / "machine.json"
    cold = host(store=tmp_path, cache_dir=tmp_path / "cache", record=recording)
    warm = host(store=tmp_path, cache_dir=tmp_path / "cache")
    replayed = detect(RecordedMachine.load(recording), tmp_path)
    assert cold.cpu.features == warm.cpu.features == replayed.cpu.features
    assert cold.os == warm.os == replayed.os
    assert cold.tools == warm.tools
    assert cold.memory.total > 0
