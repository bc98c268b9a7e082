"""Recorded machines: raw answers of real kinds of computers, one JSON file each.

`smolpc detect --record FILE` makes such a file; the ones here were recorded or put together
from what such machines print.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from smolpc.detect import detect
from smolpc.detect.recorded import RecordedMachine
from smolpc.schema.host import Host

FOLDER = Path(__file__).parent
STORE = Path("/srv/store")


def names() -> list[str]:
    """The names of all recorded machines."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(name: str) -> RecordedMachine:
    """A recorded machine to ask; each call gives a new one."""
    return RecordedMachine.load(FOLDER / f"{name}.json")


@lru_cache
def hosts() -> dict[str, Host]:
    """What every recorded machine is."""
    return {name: detect(load(name), STORE) for name in names()}
