"""How to ask a machine. Every fact module asks through this and parses what comes back.

Three machines answer: `live.LiveMachine` (this computer), `recorded.RecordedMachine`
(a JSON file, for tests and for bug reports) and `recorded.RecordingMachine` (asks the
live one and keeps the raw answers). No method raises because something is missing: the
answer is None then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Literal, Protocol

Topic = Literal["memory", "affinity", "libc", "cpuid", "nvml", "boot"]
"""What only a library can tell, as plain data:

memory    {"total": bytes, "available": bytes}, from psutil
affinity  how many logical CPUs this process may run on
libc      "glibc 2.36"
cpuid     {"vendor": str, "brand": str, "features": [str]}, from the cpuid instruction
nvml      {"driver": str, "cuda": 12080, "devices": [...]} or {"error": str}
boot      changes with every start of the machine
"""


class Machine(Protocol):
    """One computer that can be asked."""

    @property
    def system(self) -> str:
        """sys.platform's name: "linux", "win32", "darwin"."""

    @property
    def arch(self) -> str:
        """platform.machine(), as the operating system spells it: "AMD64", "arm64"."""

    def read(self, path: str) -> str | None:
        """The text of a file."""

    def listdir(self, path: str) -> tuple[str, ...] | None:
        """The sorted names in a folder."""

    def run(self, *argv: str) -> str | None:
        """What a program printed (both streams); None if it is missing, fails or hangs."""

    def which(self, name: str) -> str | None:
        """Where a program is: on PATH, then beside the Python interpreter."""

    def env(self, name: str) -> str | None:
        """An environment variable."""

    def stamp(self, path: str) -> str | None:
        """A text that changes when the file or folder changes."""

    def space(self, path: str) -> tuple[int, int] | None:
        """(total, free) bytes of the disk that holds `path` or its nearest parent."""

    def filesystem(self, path: str) -> str | None:
        """Type of the file system that holds `path`: "ext4", "NTFS"."""

    def pci_names(self, ids: Sequence[str]) -> dict[str, str]:
        """Names for PCI ids such as "10de:2684", as far as the system has a list of them."""

    def library(self, topic: Topic) -> Any:
        """Plain data from a library, see `Topic`."""


def version_in(text: str | None, after: str = "") -> str:
    """The first dotted number in `text` behind the regular expression `after`, or ""."""
    found = re.search(after + r"(\d+(?:\.\d+)+)", text or "")
    return found.group(1) if found else ""


def whole_number(text: str | None) -> int | None:
    """`text` as a non-negative number, or None."""
    stripped = (text or "").strip()
    # 20 digits hold every 64-bit number; Python refuses to convert endless ones
    fits = len(stripped) <= 20 and stripped.isascii() and stripped.isdigit()
    return int(stripped) if fits else None


def json_in(text: str | None) -> Any:
    """The first JSON object in a program's output (warnings may come before it), or None."""
    start = (text or "").find("{")
    if text is None or start < 0:
        return None
    try:
        return json.JSONDecoder().raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None
