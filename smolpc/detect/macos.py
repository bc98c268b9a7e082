"""One question to macOS: sysctl, whose answer several facts share."""

from __future__ import annotations

from smolpc.detect.machine import Machine

ARGV = ("/usr/sbin/sysctl", "hw", "machdep.cpu", "kern.osrelease")


def parse(text: str | None) -> dict[str, str]:
    """Lines "key: value" as a dictionary."""
    pairs = (line.partition(":") for line in (text or "").splitlines())
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def sysctl(machine: Machine) -> dict[str, str]:
    """What the kernel says about hardware; empty when it does not answer."""
    return parse(machine.run(*ARGV))
