"""Generations name what is in use; the collector takes only what nothing needs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from smolpc import files
from smolpc.errors import BusyError, PrerequisiteError
from smolpc.schema.artifact import Generation
from smolpc.store import Store, artifacts, gc, generations
from tests.store.test_artifacts import make

KEYS = [letter * 64 for letter in "abcd"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    made.prepare()
    return made


def age(path: Path) -> None:
    """Let `path` be two days old."""
    old = time.time() - 2 * gc.NEW
    os.utime(path, (old, old))


def use(store: Store, key: str) -> Generation:
    if not store.artifact(key).exists():
        make(store.artifact(key))
        age(store.artifact(key) / artifacts.SENTINEL)
    return generations.commit(
        store, profile="p", artifact=key, model="e" * 64, model_name="m", notes=()
    )


def paths(items: list[gc.Garbage]) -> set[str]:
    return {Path(item.path).name for item in items}


def test_before_the_first_setup_there_is_a_clear_error(store: Store) -> None:
    with pytest.raises(PrerequisiteError) as caught:
        generations.require_current(store)
    assert caught.value.next_step == "smolpc setup"


def test_each_change_makes_a_generation_and_no_change_makes_none(store: Store) -> None:
    assert use(store, KEYS[0]).number == 1
    assert use(store, KEYS[0]).number == 1
    assert use(store, KEYS[1]).number == 2
    assert generations.require_current(store).artifact == KEYS[1]
    assert [item.number for item in generations.all_generations(store)] == [1, 2]


def test_kept_generations_keep_their_artifacts(store: Store) -> None:
    for key in KEYS:
        use(store, key)
    assert paths(gc.collectable(store, keep=1)) == {KEYS[0], KEYS[1]}
    assert paths(gc.collectable(store, keep=0)) == set(KEYS[:3])
    assert gc.collectable(store, keep=9) == []


def test_collecting_removes_exactly_what_was_listed(store: Store) -> None:
    for key in KEYS[:3]:
        use(store, key)
    listed = gc.collectable(store, keep=0)
    assert gc.collect(store, keep=0) == listed
    assert artifacts.keys(store) == [KEYS[2]]
    assert gc.collect(store, keep=0) == []


def test_a_running_process_keeps_its_artifact(store: Store) -> None:
    use(store, KEYS[0])
    use(store, KEYS[1])
    with gc.in_use(store, KEYS[0]):
        assert gc.collectable(store, keep=0) == []
    assert paths(gc.collectable(store, keep=0)) == {KEYS[0]}


def test_a_process_that_died_keeps_nothing(store: Store) -> None:
    use(store, KEYS[0])
    use(store, KEYS[1])
    ghost = gc.Use(pid=os.getpid(), started=1.0, artifact=KEYS[0])
    files.write_atomic(store.in_use / "ghost.json", __import__("msgspec").json.encode(ghost))
    assert paths(gc.collectable(store, keep=0)) == {KEYS[0]}
    assert not list(store.in_use.iterdir())


def test_damaged_artifacts_are_listed_only_on_request(store: Store) -> None:
    use(store, KEYS[0])
    (store.artifact(KEYS[0]) / "lib/libx.so").write_bytes(b"changed")
    assert gc.collectable(store, keep=0) == []
    assert paths(gc.collectable(store, keep=0, damaged=True)) == {KEYS[0]}


def test_leftovers_go_once_they_are_old(store: Store) -> None:
    store.downloads.mkdir()
    part = store.downloads / "model.part"
    part.write_bytes(b"x" * 10)
    assert gc.collectable(store, keep=0) == []
    age(part)
    assert [item.bytes for item in gc.collect(store, keep=0)] == [10]
    assert not part.exists()


def test_build_tools_go_once_they_are_old_but_not_what_was_asked_for(store: Store) -> None:
    for name in ("nvcc-13", "nvcc-13.sha256", "ninja-1", "convert-abc", "convert-abc.sha256"):
        path = store.tools / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        if not name.startswith("ninja"):
            age(path)
    listed = {Path(item.path).name for item in gc.collect(store, keep=0)}
    assert listed == {"nvcc-13", "nvcc-13.sha256"}
    assert (store.tools / "ninja-1").exists()
    assert (store.tools / "convert-abc").exists()


def test_notes_on_a_removed_engine_go(store: Store) -> None:
    make(store.artifact(KEYS[0]))
    for key in KEYS[:2]:
        artifacts.seen_file(store, key).write_bytes(b"{}")
    listed = [Path(item.path).name for item in gc.collect(store, keep=0)]
    assert listed == [artifacts.seen_file(store, KEYS[1]).name]


def test_nothing_is_collected_while_a_setup_runs(store: Store) -> None:
    use(store, KEYS[0])
    with (
        files.lock(store.lock_file("setup")),
        pytest.raises(BusyError) as caught,
    ):
        gc.collect(store, keep=0)
    assert caught.value.code == 9


def test_a_new_engine_without_a_setup_is_kept_for_a_day(store: Store) -> None:
    make(store.artifact(KEYS[0]))
    assert gc.collectable(store, keep=0) == []
    age(store.artifact(KEYS[0]) / artifacts.SENTINEL)
    assert paths(gc.collectable(store, keep=0)) == {KEYS[0]}


def test_what_a_slow_pull_works_on_is_kept(store: Store) -> None:
    sha = "f" * 64
    incoming = store.models / f".incoming-{sha}"
    incoming.mkdir()
    age(incoming)
    with files.lock(store.models / f"{sha}.lock"):
        assert gc.collectable(store, keep=0) == []
    assert paths(gc.collectable(store, keep=0)) == {incoming.name}


def test_damaged_generations_are_passed_over(store: Store) -> None:
    use(store, KEYS[0])
    (store.generations / "1.json").write_text("{")
    assert generations.current(store) is None
    assert use(store, KEYS[1]).number == 2
    (store.generations / "current").write_text("")
    assert generations.current(store) is None
