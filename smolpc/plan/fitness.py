"""Does an artifact run on a host? Pure."""

from __future__ import annotations

from smolpc.plan.requirements import version
from smolpc.schema.artifact import Requirements
from smolpc.schema.host import Host


def unmet(needs: Requirements, host: Host) -> list[str]:
    """One sentence for each requirement that the host does not meet; empty when it runs."""
    said: list[str] = []
    if (needs.system, needs.arch) != (host.os.system, host.cpu.arch):
        said.append(
            f"it was built for {needs.system} {needs.arch},"
            f" this is {host.os.system} {host.cpu.arch}"
        )
        return said
    missing = sorted(set(needs.cpu_features) - set(host.cpu.features))
    if missing:
        said.append(f"this CPU lacks {', '.join(missing)}")
    drivers = [gpu.driver for gpu in host.gpus if gpu.vendor == "nvidia" and gpu.driver]
    if "cuda" in needs.backends and drivers and version(drivers[0]) < version(needs.driver):
        said.append(f"it needs NVIDIA's driver {needs.driver}, this system has {drivers[0]}")
    libc = host.os.libc
    if libc is not None and needs.libc not in ("", "default", libc.name):
        said.append(f"it needs {needs.libc}, this system has {libc.name}")
    elif libc is not None and version(libc.version) < version(needs.libc_floor):
        said.append(f"it needs {libc.name} {needs.libc_floor}, this system has {libc.version}")
    return said
