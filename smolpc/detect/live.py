"""The computer this runs on."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smolpc.detect.machine import Topic

SECONDS = 30.0  # a cold PowerShell with CIM takes several seconds on an old laptop

PCI_NAME_FILES = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")


def nearest(path: str) -> Path:
    """`path`, or its nearest parent that exists."""
    probe = Path(path).absolute()
    while not probe.exists() and probe != probe.parent:
        probe = probe.parent
    return probe


class LiveMachine:
    """Asks the real files, programs and libraries. A program is asked once per object."""

    system = sys.platform

    def __init__(self) -> None:
        self._answers: dict[tuple[str, ...], str | None] = {}

    @property
    def arch(self) -> str:
        return platform.machine()

    def read(self, path: str) -> str | None:
        try:
            return Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    def listdir(self, path: str) -> tuple[str, ...] | None:
        try:
            return tuple(sorted(os.listdir(path)))  # noqa: PTH208 - names, not paths
        except OSError:
            return None

    def run(self, *argv: str) -> str | None:
        if argv not in self._answers:
            self._answers[argv] = self._run(argv)
        return self._answers[argv]

    def _run(self, argv: tuple[str, ...]) -> str | None:
        from smolpc import proc
        from smolpc.errors import PrerequisiteError

        try:
            done = proc.run(argv, env={"LC_ALL": "C"}, timeout=SECONDS)
        except (PrerequisiteError, proc.TimedOut, OSError):
            return None
        return done.output if done.ok else None

    def which(self, name: str) -> str | None:
        # cmake and ninja from PyPI lie beside the interpreter, on PATH or not.
        return shutil.which(name) or shutil.which(name, path=sysconfig.get_path("scripts"))

    def env(self, name: str) -> str | None:
        return os.environ.get(name)

    def stamp(self, path: str) -> str | None:
        try:
            status = os.stat(path)  # noqa: PTH116 - a few dozen per start: the quick way
        except OSError:
            return None
        return f"{status.st_mtime_ns} {status.st_size}"

    def space(self, path: str) -> tuple[int, int] | None:
        try:
            usage = shutil.disk_usage(nearest(path))
        except OSError:
            return None
        return usage.total, usage.free

    def filesystem(self, path: str) -> str | None:
        import psutil

        place = nearest(path).resolve()
        try:
            disks = psutil.disk_partitions(all=True)
        except OSError:
            return None
        mounts = [disk for disk in disks if place.is_relative_to(disk.mountpoint)]
        best = max(mounts, key=lambda disk: len(disk.mountpoint), default=None)
        return best.fstype if best else None

    def pci_names(self, ids: Sequence[str]) -> dict[str, str]:
        from smolpc.detect.pci import parse_names

        texts = (self.read(path) for path in PCI_NAME_FILES)
        return parse_names(next((text for text in texts if text), None), ids)

    def library(self, topic: Topic) -> Any:
        from smolpc.detect import libraries

        return libraries.ASK[topic]()
