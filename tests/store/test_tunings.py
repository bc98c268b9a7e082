"""What was measured counts for the same machine, engine and model only."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from smolpc.schema.base import Value
from smolpc.schema.tuning import Sample, Tuned, TunedValue, fingerprint
from smolpc.store import Store, tunings
from tests.machines import hosts

HOST, ENGINE, MODEL = "a" * 64, "b" * 64, "c" * 64
TUNED = Tuned(
    host=HOST,
    artifact=ENGINE,
    model=MODEL,
    created="2026-01-01T00:00:00Z",
    values=(
        TunedValue(
            setting="threads",
            value=3,
            rate="decode",
            gain=0.1,
            noise=0.02,
            samples=(Sample(default=40.0, candidate=44.0),),
        ),
    ),
)


def test_it_is_found_for_the_same_three_and_no_others(tmp_path: Path) -> None:
    store = Store(tmp_path / "Größe")
    tunings.keep(store, TUNED)
    assert tunings.find(store, HOST, ENGINE, MODEL) == TUNED
    for other in ((ENGINE, HOST, MODEL), (HOST, ENGINE, HOST), (HOST, MODEL, MODEL)):
        assert tunings.find(store, *other) is None
    tunings.forget(store, TUNED)
    assert tunings.find(store, HOST, ENGINE, MODEL) is None


def test_a_fingerprint_is_of_what_changes_the_speed() -> None:
    host = hosts()["laptop-ultra9-rtx4050-windows11"]
    other = msgspec.structs.replace

    def same(**changes: Value) -> bool:
        return fingerprint(other(host, **changes)) == fingerprint(host)

    assert same(memory=other(host.memory, available=1))
    assert not same(cpu=other(host.cpu, usable_cores=2))
    assert not same(gpus=tuple(other(gpu, driver="new") for gpu in host.gpus))
    assert not same(gpus=())


def test_every_recorded_machine_has_its_own() -> None:
    found = {name: fingerprint(host) for name, host in hosts().items()}
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff"])
def test_a_damaged_file_is_no_result(tmp_path: Path, data: bytes) -> None:
    store = Store(tmp_path)
    tunings.keep(store, TUNED).write_bytes(data)
    assert tunings.find(store, HOST, ENGINE, MODEL) is None
