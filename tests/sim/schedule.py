"""Random weather for downloads: from a seed, a file, its mirrors, their faults, and kills."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from typing import Any

from tests.sim.server import (
    Corrupt,
    Crawl,
    Fault,
    IgnoreRange,
    Redirect,
    Replace,
    Reset,
    SimServer,
    Stall,
    Status,
    Truncate,
    WebPage,
    WrongRange,
)

CHUNK = 128 << 10
RESTARTING = (Corrupt, IgnoreRange, Replace, WrongRange)  # may cost what is there, by design


@dataclass
class Place:
    """One mirror. `wrong`: it has another file, for ever."""

    options: dict[str, Any]
    faults: list[Fault]
    wrong: bool


@dataclass
class Schedule:
    seed: int
    data: bytes = field(repr=False)
    streams: int
    with_digests: bool
    places: list[Place]
    kills: list[float]  # seconds after the start of a run

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def digests(self) -> tuple[str, ...]:
        starts = range(0, len(self.data), CHUNK)
        return tuple(hashlib.sha256(self.data[at : at + CHUNK]).hexdigest() for at in starts)

    @property
    def faults(self) -> list[Fault]:
        return [fault for place in self.places for fault in place.faults]

    @property
    def solvable(self) -> bool:
        """Some mirror has the right file."""
        return not all(place.wrong for place in self.places)

    @property
    def restarts(self) -> int:
        """How often the whole file may be fetched again: once for each event that makes what is
        there worthless or unprovable."""
        again = sum(isinstance(fault, RESTARTING) or fault == Status(416) for fault in self.faults)
        again += sum(place.wrong for place in self.places) * (1 + len(self.kills))
        if not all(place.options["ranges"] for place in self.places):
            again += len(self.kills) + len(self.faults)
        return again + len(self.places)  # a wrong sum: once more from each that is left

    def serve(self, server: SimServer) -> list[str]:
        """Add the mirrors to a server; their URLs."""
        urls = []
        server.add("/elsewhere", self.data)
        for number, place in enumerate(self.places):
            data = self.data[::-1] if place.wrong else self.data
            server.add(f"/{number}/model", data, **place.options).fail(*place.faults)
            urls.append(server.url(f"/{number}/model?signature=geheim"))
        return urls


def _fault(chance: random.Random, data: bytes) -> Fault:
    at = chance.randrange(len(data))
    few = chance.choice([0, 1, chance.randrange(CHUNK), at])
    return chance.choice(
        [
            Truncate(few),
            Truncate(few),
            Reset(few),
            Reset(few),
            Stall(few),
            Crawl(few),
            Corrupt(at),
            WrongRange(),
            IgnoreRange(),
            Redirect("/elsewhere"),
            WebPage(),
            Replace(data),
            Status(chance.choice([429, 500, 502, 503]), chance.choice(["", "0"])),
            Status(chance.choice([403, 404, 416])),
        ]
    )


def schedule(seed: int) -> Schedule:
    chance = random.Random(seed)
    data = chance.randbytes(chance.randint(1 << 20, 4 << 20))
    places = []
    for _ in range(chance.choice([1, 1, 2, 3])):
        options = {
            "ranges": chance.random() < 0.9,
            "rate": chance.choice([5, 10, 20]) * 1_000_000,
            "keep_alive": chance.random() < 0.7,
            "etag_form": chance.choice(["strong", "strong", "weak", "none"]),
            "most_connections": chance.choice([0, 0, 0, 2]),
        }
        faults = [_fault(chance, data) for _ in range(chance.choice([0, 1, 2, 4]))]
        places.append(Place(options, faults, wrong=chance.random() < 0.08))
    return Schedule(
        seed=seed,
        data=data,
        streams=chance.choice([0, 1, 2, 4]),
        with_digests=chance.random() < 0.3,
        places=places,
        kills=[chance.uniform(0.0, 0.3) for _ in range(chance.choice([0, 1, 2, 3]))],
    )
