"""The log of a server."""

from __future__ import annotations

import stat
from pathlib import Path

from smolpc.serve import log
from smolpc.serve.log import ServerLog
from smolpc.store import Store


def test_it_is_private_limited_and_keeps_its_end(tmp_path: Path) -> None:
    path = tmp_path / "Protokoll ü.log"
    kept = ServerLog(path, largest=2000)
    for number in range(200):
        kept.add(f"line {number} 100 %s ü")
    kept.close()
    both = [path, path.with_name(f"{path.name}.1")]
    assert all(stat.S_IMODE(one.stat().st_mode) == 0o600 for one in both)
    assert all(one.stat().st_size <= 2000 for one in both)
    assert path.read_text(encoding="utf-8").endswith("line 199 100 %s ü\n")
    assert sorted(tmp_path.iterdir()) == sorted(both)
    assert kept.tail(2) == "\n    line 198 100 %s ü\n    line 199 100 %s ü"


def test_a_key_does_not_get_into_it(tmp_path: Path) -> None:
    kept = ServerLog(tmp_path / "log")
    kept.add("got header Authorization: hunter2hunter2")
    kept.close()
    assert "hunter2" not in (tmp_path / "log").read_text() + kept.tail()


def test_without_a_file_the_end_is_kept_all_the_same() -> None:
    kept = ServerLog(None)
    kept.add("last words")
    assert "last words" in kept.tail()


def test_it_lies_beside_the_other_logs(tmp_path: Path) -> None:
    assert log.place(Store(tmp_path), 8080) == tmp_path / "logs" / "serve-8080.log"


def test_a_store_that_cannot_be_written_is_no_obstacle(tmp_path: Path, own_home: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    place = log.place(Store(tmp_path), 0)
    assert place.is_relative_to(own_home)
    assert place.parent.is_dir()
