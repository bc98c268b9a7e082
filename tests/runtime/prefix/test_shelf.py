"""State files on the disk: the longest prefix is found, damage is not loaded, old ones go."""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolpc.runtime.prefix.key import StateKey
from smolpc.runtime.prefix.matching import Memory, common_prefix
from smolpc.runtime.prefix.shelf import SUFFIX, Found, Shelf

KEY = "ab" * 32
STATE = b"state" * 100
LIMIT = 10_000_000


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "prompts ü", KEY, LIMIT)


def best(shelf: Shelf, wanted: list[int], memory: Memory | None = None) -> list[Found]:
    return shelf.best(wanted, memory or Memory(), context=4096, exact=False)


def put(shelf: Shelf, tokens: list[int], state: bytes = STATE) -> Path:
    path = shelf.put(tokens, 0, state)
    assert path is not None
    return path


def test_the_longest_prefix_comes_first(shelf: Shelf) -> None:
    for tokens in ([1, 2], [1, 2, 3, 9], [1, 2, 3, 4, 5], [7, 7, 7]):
        put(shelf, tokens)
    found = best(shelf, [1, 2, 3, 4, 5, 6])
    assert [one.keep for one in found] == [5, 3, 2]
    assert shelf.take(found[0]) == STATE


@settings(max_examples=30)  # it writes to the disk
@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=6), max_size=6), st.data())
def test_no_other_file_would_help_more(
    tmp_path_factory: pytest.TempPathFactory, stored: list[list[int]], data: st.DataObject
) -> None:
    shelf = Shelf(tmp_path_factory.mktemp("law"), KEY, LIMIT)
    for tokens in stored:
        put(shelf, tokens)
    wanted = data.draw(st.lists(st.integers(0, 1), min_size=1, max_size=6))
    most = max((min(common_prefix(one, wanted), len(wanted) - 1) for one in stored), default=0)
    found = best(shelf, wanted)
    assert (found[0].keep if found else 0) == most


def test_files_that_this_context_or_memory_cannot_use_are_left_out(shelf: Shelf) -> None:
    put(shelf, [1, 2, 3, 4])
    assert shelf.best([1, 2, 3, 4, 5], Memory(), context=3, exact=False) == []
    assert best(shelf, [1, 2, 9], Memory(cuts=False)) == []
    assert best(shelf, [1, 2, 3, 4, 5], Memory(cuts=False))
    assert best(shelf, [1, 2, 9], Memory(window=2)) == []
    assert best(shelf, [1, 2, 9], Memory(window=4))


def test_it_is_private(shelf: Shelf) -> None:
    path = put(shelf, [1, 2])
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert {stat.S_IMODE(folder.stat().st_mode) for folder in path.parents[:2]} == {0o700}
        shelf.root.chmod(0o755)
        put(shelf, [3])
        assert stat.S_IMODE(shelf.root.stat().st_mode) == 0o700


@pytest.mark.parametrize("place", [0, 30, -1])
def test_a_damaged_file_is_deleted_and_said(shelf: Shelf, place: int) -> None:
    path = put(shelf, [1, 2, 3])
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    assert [shelf.take(one) for one in best(shelf, [1, 2, 3, 4])] in ([], [None])
    assert not path.exists()
    assert "deleted" in shelf.notes[0]


def test_a_file_of_another_key_is_never_offered(shelf: Shelf) -> None:
    path = put(shelf, [1, 2, 3])
    other = Shelf(shelf.root, "cd" * 32, LIMIT)
    assert best(other, [1, 2, 3, 4]) == []
    moved = put(other, [1, 2, 3]).parent / path.name
    moved.write_bytes(path.read_bytes())
    assert best(other, [1, 2, 3, 4]) == []
    assert not moved.exists()
    assert path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_only_files_are_looked_at(shelf: Shelf, tmp_path: Path, kind: str) -> None:
    path = put(shelf, [1, 2, 3])
    elsewhere = path.replace(tmp_path / "elsewhere")
    if kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert best(shelf, [1, 2, 3, 4]) == []
    assert elsewhere.exists()


def test_the_least_recently_used_go_first_and_the_limit_holds(shelf: Shelf) -> None:
    other = Shelf(shelf.root, "cd" * 32, LIMIT)
    paths = [put(one, [n]) for n, one in enumerate((shelf, other, shelf, other))]
    size = paths[0].stat().st_size
    for age, path in zip((50, 40, 30, 20), paths, strict=True):
        os.utime(path, (time.time() - age,) * 2)
    assert shelf.take(best(shelf, [0, 1])[0]) == STATE  # used now: the oldest no more
    small = Shelf(shelf.root, KEY, 3 * size)
    put(small, [9])
    assert [path.exists() for path in paths] == [True, False, False, True]
    total = sum(path.stat().st_size for path in shelf.root.rglob(f"*{SUFFIX}"))
    assert total <= small.limit


def test_what_is_over_the_limit_is_not_stored(shelf: Shelf) -> None:
    kept = put(shelf, [1])
    tiny = Shelf(shelf.root, KEY, 10)
    assert tiny.put([2], 0, STATE) is None
    assert "prompt_cache_limit" in tiny.notes[0]
    assert kept.exists()


def test_a_folder_that_cannot_be_made_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    shelf = Shelf(tmp_path / "file" / "prompts", KEY, LIMIT)
    assert best(shelf, [1, 2]) == []
    assert shelf.put([1], 0, STATE) is None
    assert "not stored" in shelf.notes[0]


def test_rubbish_of_a_killed_writer_goes_after_an_hour(shelf: Shelf) -> None:
    folder = put(shelf, [1]).parent
    young, old = folder / ".young.kv.x1", folder / ".old.kv.x2"
    for path in (young, old):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    put(shelf, [2])
    assert (young.exists(), old.exists()) == (True, False)
    assert shelf.notes == []


def test_readers_and_writers_at_once(shelf: Shelf) -> None:
    """Each in its own shelf, as processes are. Nobody sees half a file."""
    failures: list[str] = []
    size = put(shelf, [0]).stat().st_size

    def work(number: int) -> None:
        mine = Shelf(shelf.root, KEY, 4 * size)
        for step in range(20):
            mine.put([number % 2, step % 3], 0, STATE)
            for found in mine.best([number % 2, step % 3, 5], Memory(), context=9, exact=False):
                if mine.take(found) not in (None, STATE):
                    failures.append("another state")
        failures.extend(mine.notes)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_every_part_of_the_key_counts() -> None:
    base = StateKey(model="m", artifact="a")
    others = [
        StateKey(model="x", artifact="a"),
        StateKey(model="m", artifact="x"),
        *(
            StateKey(model="m", artifact="a", **change)  # type: ignore[arg-type]
            for change in (
                {"format": 0},
                {"kv_type": "q8_0"},
                {"flash": "off"},
                {"full_window": True},
                {"gpu_layers": 1},
                {"devices": ("cuda0",)},
                {"context": 8192},
                {"kernels": "AVX512 = 1"},
            )
        ),
    ]
    assert len({one.digest for one in (base, *others)}) == 1 + len(others)
    assert StateKey(model="m", artifact="a").digest == base.digest
    assert len(others) - 2 == len(StateKey.__struct_fields__) - 2
