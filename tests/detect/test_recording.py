"""A recording replays as the machine it came from, and does not tell whose it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from smolpc import detect
from smolpc.detect.recorded import RecordedMachine, Recording, RecordingMachine, masked_recording
from smolpc.errors import PrerequisiteError, UsageError
from tests.machines import FOLDER, STORE, hosts, load, names


@pytest.mark.parametrize("name", names())
def test_record_then_replay(name: str, tmp_path: Path) -> None:
    recorder = RecordingMachine(load(name))
    seen = detect.detect(recorder, STORE)
    recorder.save(tmp_path / "machine.json")
    replayed = detect.detect(RecordedMachine.load(tmp_path / "machine.json"), STORE)
    assert replayed == seen == hosts()[name]


def test_record_looks_at_the_machine_even_when_a_cache_is_there(tmp_path: Path) -> None:
    machine = load("macbook-m3-macos15")
    file, folder = tmp_path / "my machine é.json", tmp_path / "cache"
    detect.host_of(machine, store=STORE, cache_dir=folder)
    host = detect.host_of(machine, store=STORE, cache_dir=folder, record=file)
    assert detect.detect(RecordedMachine.load(file), STORE) == host


SECRETS = Recording(
    system="linux",
    arch="x86_64",
    files={
        "/proc/cpuinfo": "processor\t: 0\nSerial\t\t: 10000000a1b2c3d4\n",
        "/proc/self/cgroup": f"0::/docker/{'0123456789abcdef' * 4}\n",
        f"/sys/fs/cgroup/docker/{'0123456789abcdef' * 4}/cpu.max": "max 100000\n",
        "/etc/os-release": "ID=debian\n",
    },
    programs={"cmake": "/home/anna/bin/cmake", "git": "/Users/Anna Lee/git"},
    environment={"CUDA_PATH": r"C:\Users\anna\cuda", "VULKAN_SDK": "/data/anna/sdk"},
    commands={
        "profiler": '{"_spdisplays_display-serial-number": "S3R14L", "serial": 12345}',
        "id": "7e1c0f3a-0d5b-4a57-9b8e-2f1f6c1d9a10 on anna-laptop",
    },
)


def test_masking() -> None:
    masked = str(masked_recording(SECRETS, names=("anna", "anna-laptop")))
    for secret in (
        "10000000a1b2c3d4",
        "0123456789abcdef",
        "anna",
        "Anna",
        "Lee",
        "S3R14L",
        "12345",
    ):
        assert secret not in masked
    assert "7e1c0f3a" not in masked
    assert "ID=debian" in masked


def test_a_user_named_like_the_distribution_or_a_tool_changes_no_fact() -> None:
    masked = masked_recording(SECRETS, names=("debian", "git"))
    assert masked.files["/etc/os-release"] == "ID=debian\n"
    assert "git" in masked.programs


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"system": "linux", "arch": 1}', b"\xff"])
def test_a_file_that_is_no_recording_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(UsageError):
        RecordedMachine.load(tmp_path / "x.json")


def test_a_recording_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PrerequisiteError) as caught:
        RecordingMachine(load("windows-10-i3-4gb")).save(tmp_path / "file" / "machine.json")
    assert caught.value.next_step


def test_the_recorded_machines_name_nobody() -> None:
    for path in FOLDER.glob("*.json"):
        recording = RecordedMachine.load(path).recording
        assert masked_recording(recording) == recording, path.name
