"""The disk that holds the store."""

from __future__ import annotations

from pathlib import Path

from smolpc.detect.machine import Machine
from smolpc.schema.host import Disk


def ask(machine: Machine, store: Path, gaps: list[str]) -> tuple[Disk, ...]:
    """Total and free bytes where `store` is or will be."""
    space = machine.space(str(store))
    if space is None:
        gaps.append(f"the free space of {store} is not known")
        return ()
    kind = machine.filesystem(str(store)) or ""
    return (Disk(path=str(store), total=space[0], free=space[1], filesystem=kind),)
