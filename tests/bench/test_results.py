"""Results on the disk."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from smolpc.bench import results
from smolpc.errors import UsageError
from smolpc.schema.bench import BenchResult
from smolpc.store import Store
from tests.machines import hosts


def result(name: str) -> BenchResult:
    return BenchResult(
        id=name,
        created="2026-11-25T00:00:00+00:00",
        smolpc="0",
        seconds=1.0,
        seed=1,
        host=hosts()["cloud-xeon-icelake-debian12"],
        fingerprint="0" * 64,
        scenarios=(),
        variants=(),
        answers=(),
    )


def test_a_result_is_found_by_its_beginning_as_the_last_one_and_as_a_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "store ü")
    first, second = result("20261124-1"), result("20261125-2")
    path = results.keep(store, first)
    results.keep(store, second)
    assert results.names(store) == [first.id, second.id]
    assert results.read(store, "20261124") == first
    assert results.read(store, "last") == second
    assert results.read(store, str(path)) == first


def test_what_is_none_is_said(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(UsageError, match="no result 'last'") as caught:
        results.read(store, "last")
    assert caught.value.next_step == "smolpc bench"
    for name in ("20261124-1", "20261124-2"):
        results.keep(store, result(name))
    with pytest.raises(UsageError, match="several"):
        results.read(store, "20261124")
    wrong = tmp_path / "x.json"
    for data in (b"", b"{}", b"\xff\xfe", msgspec.json.encode({"format": 1})):
        wrong.write_bytes(data)
        with pytest.raises(UsageError, match="is no result"):
            results.read(store, str(wrong))


def test_a_result_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    store = Store(tmp_path)
    results.keep(store, result("20261101-000000-aaaa"))
    (store.benchmarks / "20261102-000000-bbbb.json").write_text('{"of": "another version"}')
    results.keep(store, result("20261103-000000-cccc"))
    found, notes = results.kept(store)
    assert [one.id[-4:] for one in found] == ["aaaa", "cccc"]
    assert len(notes) == 1
    assert "bbbb.json is no result" in notes[0]


def test_each_file_of_a_folder_is_a_pc_and_a_folder_inside_is_one_with_several_runs(
    tmp_path: Path,
) -> None:
    store, room = Store(tmp_path / "store"), tmp_path / "room 7"
    for number in range(3):
        results.write(room / f"pc{number}.json", result(f"20261101-00000{number}-aaaa"))
    for number in range(2):
        results.write(room / "pc9" / f"{number}.json", result(f"20261102-00000{number}-aaaa"))
    results.write(room / "a copy.json", result("20261101-000001-aaaa"))
    found = results.gathered(store, [str(room)])
    assert sorted(len(runs) for runs in found.values()) == [1, 1, 1, 2]
    results.keep(store, result("20261103-000000-aaaa"))
    results.keep(store, result("20261104-000000-aaaa"))
    both = results.gathered(store, ["last", "20261103", str(room / "pc0.json")])
    assert sorted(len(runs) for runs in both.values()) == [1, 2]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no results are in"):
        results.gathered(store, [str(tmp_path / "empty")])
