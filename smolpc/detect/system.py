"""Operating system, distribution, kernel and C library."""

from __future__ import annotations

import plistlib
import shlex
from xml.parsers.expat import ExpatError

from smolpc.detect import macos, windows
from smolpc.detect.machine import Machine, version_in
from smolpc.errors import PrerequisiteError
from smolpc.schema.host import Libc, OperatingSystem, System

SYSTEMS: dict[str, System] = {"linux": "linux", "win32": "windows", "darwin": "darwin"}
MACOS_VERSION = "/System/Library/CoreServices/SystemVersion.plist"


def system_of(machine: Machine) -> System:
    """The system's name in smolpc. Raises PrerequisiteError for one it does not know."""
    try:
        return SYSTEMS[machine.system]
    except KeyError:
        raise PrerequisiteError(
            f"smolpc does not run on {machine.system}",
            why="it knows Linux, Windows and macOS",
            next_step="install Ollama or llama.cpp from your system's packages",
        ) from None


def ask(machine: Machine, gaps: list[str]) -> OperatingSystem:
    """Which operating system this is. Raises PrerequisiteError for an unknown one."""
    system = system_of(machine)
    if system == "linux":
        return ask_linux(machine, gaps)
    if system == "darwin":
        version = parse_plist(machine.read(MACOS_VERSION))
        if not version:
            gaps.append(f"the macOS version is not known: {MACOS_VERSION} could not be read")
        return OperatingSystem(
            system=system,
            name=f"macOS {version}".strip(),
            version=version,
            kernel=macos.sysctl(machine).get("kern.osrelease", ""),
            libc=Libc(name="libsystem", version=version),
        )
    told = windows.inventory(machine, gaps).os
    return OperatingSystem(
        system=system,
        name=told.Caption.removeprefix("Microsoft ").strip(),
        version=told.Version,
        kernel=told.Version,
        libc=Libc(name="ucrt"),
    )


def ask_linux(machine: Machine, gaps: list[str]) -> OperatingSystem:
    release = machine.read("/etc/os-release") or machine.read("/usr/lib/os-release")
    if release is None:
        gaps.append("the Linux distribution is not known: there is no /etc/os-release")
    fields = parse_os_release(release or "")
    libc = parse_libc(machine.library("libc"))
    if libc is None and any(name.startswith("ld-musl-") for name in machine.listdir("/lib") or ()):
        libc = Libc(name="musl")
    if libc is None:
        gaps.append("the C library is neither glibc nor musl")
    return OperatingSystem(
        system="linux",
        name=fields.get("PRETTY_NAME", ""),
        version=fields.get("VERSION_ID", ""),
        distro=fields.get("ID", ""),
        distro_like=tuple(fields.get("ID_LIKE", "").split()),
        kernel=(machine.read("/proc/sys/kernel/osrelease") or "").strip(),
        libc=libc,
    )


def parse_os_release(text: str) -> dict[str, str]:
    """os-release(5): shell-like assignments. Lines that are not one are left out."""
    fields = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals or key.startswith("#"):
            continue
        try:
            fields[key] = " ".join(shlex.split(value))
        except ValueError:  # an open quotation
            fields[key] = value.strip("'\"")
    return fields


def parse_libc(text: object) -> Libc | None:
    """confstr(CS_GNU_LIBC_VERSION): "glibc 2.36"."""
    if isinstance(text, str) and text.startswith("glibc "):
        return Libc(name="glibc", version=version_in(text))
    return None


def parse_plist(text: str | None) -> str:
    """The product version in macOS's SystemVersion.plist, or ""."""
    try:
        fields = plistlib.loads((text or "").encode(), fmt=plistlib.FMT_XML)
    except (ExpatError, ValueError, AttributeError, IndexError, KeyError, TypeError):
        return ""  # plistlib has no error of its own for broken XML property lists
    version = fields.get("ProductVersion") if isinstance(fields, dict) else None
    return version if isinstance(version, str) else ""
