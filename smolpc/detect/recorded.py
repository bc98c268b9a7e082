"""Recorded machines: the raw answers of a computer in a JSON file, and how to make one."""

from __future__ import annotations

import os
import platform
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from smolpc.detect.machine import Machine, Topic
from smolpc.errors import PrerequisiteError, UsageError
from smolpc.files import write_atomic

HOME = re.compile(r"((?:/home/|/Users/|[\\/]Users\\{1,2}))[^/\\:;\"\n]+")
# Ids of containers and machines. In braces it is the id of a Windows device class.
LONG_ID = re.compile(r"[0-9a-f]{32,}|(?<!\{)[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}")
SERIAL_JSON = re.compile(r'("[^"]*serial[^"]*"\s*:\s*)(?:"[^"]*"|\d+)', re.IGNORECASE)
SERIAL_LINE = re.compile(r"^(serial\s*:\s*)\S.*$", re.IGNORECASE | re.MULTILINE)


class Recording(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Everything that was asked, and the answers; what is absent answers None."""

    format: int = 1
    note: str = ""
    system: str
    arch: str
    files: dict[str, str | None] = {}
    folders: dict[str, tuple[str, ...] | None] = {}
    commands: dict[str, str | None] = {}
    programs: dict[str, str | None] = {}
    environment: dict[str, str | None] = {}
    stamps: dict[str, str] = {}
    space: tuple[int, int] | None = None
    filesystem: str | None = None
    pci_names: dict[str, str] = {}
    libraries: dict[str, Any] = {}


class RecordedMachine:
    """Answers from a recording, whatever computer the program runs on."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.system, self.arch = recording.system, recording.arch

    @classmethod
    def load(cls, path: Path) -> RecordedMachine:
        """Read a recording. Raises UsageError when the file is not one."""
        try:
            return cls(msgspec.json.decode(path.read_bytes(), type=Recording))
        except (OSError, msgspec.MsgspecError) as error:
            raise UsageError(
                f"{path} is not a recorded machine",
                why=str(error),
                next_step="smolpc detect --record machine.json",
            ) from error

    def read(self, path: str) -> str | None:
        return self.recording.files.get(path)

    def listdir(self, path: str) -> tuple[str, ...] | None:
        return self.recording.folders.get(path)

    def run(self, *argv: str) -> str | None:
        return self.recording.commands.get(shlex.join(argv))

    def which(self, name: str) -> str | None:
        return self.recording.programs.get(name)

    def env(self, name: str) -> str | None:
        return self.recording.environment.get(name)

    def stamp(self, path: str) -> str | None:
        return self.recording.stamps.get(path)

    def space(self, path: str) -> tuple[int, int] | None:  # noqa: ARG002 - one disk is recorded
        return self.recording.space

    def filesystem(self, path: str) -> str | None:  # noqa: ARG002 - one disk is recorded
        return self.recording.filesystem

    def pci_names(self, ids: Sequence[str]) -> dict[str, str]:
        known = self.recording.pci_names
        return {key: known[key] for key in ids if key in known}

    def library(self, topic: Topic) -> Any:
        return self.recording.libraries.get(topic)


class RecordingMachine:
    """Passes every question on and keeps the answer."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.system, self.arch = machine.system, machine.arch
        self.recording = Recording(system=machine.system, arch=machine.arch)

    def read(self, path: str) -> str | None:
        self.recording.files[path] = answer = self.machine.read(path)
        return answer

    def listdir(self, path: str) -> tuple[str, ...] | None:
        self.recording.folders[path] = answer = self.machine.listdir(path)
        return answer

    def run(self, *argv: str) -> str | None:
        self.recording.commands[shlex.join(argv)] = answer = self.machine.run(*argv)
        return answer

    def which(self, name: str) -> str | None:
        self.recording.programs[name] = answer = self.machine.which(name)
        return answer

    def env(self, name: str) -> str | None:
        self.recording.environment[name] = answer = self.machine.env(name)
        return answer

    def stamp(self, path: str) -> str | None:
        return self.machine.stamp(path)  # says nothing about the hardware: not kept

    def space(self, path: str) -> tuple[int, int] | None:
        self.recording.space = answer = self.machine.space(path)
        return answer

    def filesystem(self, path: str) -> str | None:
        self.recording.filesystem = answer = self.machine.filesystem(path)
        return answer

    def pci_names(self, ids: Sequence[str]) -> dict[str, str]:
        answer = self.machine.pci_names(ids)
        self.recording.pci_names.update(answer)
        return answer

    def library(self, topic: Topic) -> Any:
        self.recording.libraries[topic] = answer = self.machine.library(topic)
        return answer

    def save(self, path: Path) -> None:
        """Write the masked recording. Raises PrerequisiteError where that is not allowed."""
        user = os.environ.get("USER") or os.environ.get("USERNAME", "")
        masked = masked_recording(self.recording, names=(user, platform.node()))
        data = msgspec.json.format(msgspec.json.encode(masked, order="sorted"), indent=1)
        try:
            write_atomic(path, data + b"\n")
        except OSError as error:
            raise PrerequisiteError(
                f"the recording could not be written to {path}",
                why=str(error),
                next_step="smolpc detect --record machine.json",
            ) from error


def mask(text: str) -> str:
    """`text` without home folders, serial numbers and container or machine ids."""
    text = HOME.sub(r"\1user", text)
    text = SERIAL_JSON.sub(r'\1"masked"', text)
    text = SERIAL_LINE.sub(r"\1masked", text)
    return LONG_ID.sub("masked", text)


def hide(value: Any, name: re.Pattern[str] | None) -> Any:
    """Plain data with every text masked, keys included, and `name` replaced by "user"."""
    if isinstance(value, str):
        return name.sub("user", mask(value)) if name else mask(value)
    if isinstance(value, dict):
        return {hide(key, name): hide(item, name) for key, item in value.items()}
    return [hide(item, name) for item in value] if isinstance(value, (list, tuple)) else value


def masked_recording(recording: Recording, names: tuple[str, ...] = ()) -> Recording:
    """`recording` without anything that tells whose computer it is.

    `names` (the user's, the computer's) go from paths and program output. Files of the
    kernel and os-release keep them: there, a user called "debian" is the distribution.
    """
    told = "|".join(re.escape(name) for name in names if len(name) > 2 and name != "root")
    name = re.compile(rf"(?<![A-Za-z0-9])(?:{told})(?![A-Za-z0-9])") if told else None
    raw = {
        field: hide(value, name if field in ("commands", "environment") else None)
        for field, value in msgspec.to_builtins(recording).items()
    }
    # The keys here are the programs that were asked for: a user called "git" changes none.
    raw["programs"] = {key: hide(path, name) for key, path in recording.programs.items()}
    return msgspec.convert(raw, Recording)
