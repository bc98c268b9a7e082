"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc import files
from smolpc.errors import BusyError, PrerequisiteError, SpaceError, TrustError


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"
    files.write_atomic(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        files.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["state.json"]


def test_a_published_folder_has_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "tmp" / "deep").mkdir(parents=True)
    (tmp_path / "tmp" / "deep" / "ü name").write_bytes(b"x")
    files.publish(tmp_path / "tmp", tmp_path / "store" / "final")
    assert (tmp_path / "store/final/deep/ü name").read_bytes() == b"x"
    assert not (tmp_path / "tmp").exists()


def test_read_only_files_can_be_removed(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "file").write_bytes(b"x")
    (folder / "file").chmod(0o444)
    files.remove_tree(folder)
    files.remove_tree(folder)  # nothing there is fine
    assert list(tmp_path.iterdir()) == []


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.binary(max_size=9), max_size=4))
def test_equal_trees_and_only_they_have_equal_digests(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, bytes]
) -> None:
    def lay(folder: Path, content: dict[str, bytes]) -> str:
        for name, data in content.items():
            (folder / name).write_bytes(data)
        return files.tree_digest(folder)

    one = lay(tmp_path_factory.mktemp("one"), tree)
    assert one == lay(tmp_path_factory.mktemp("two"), dict(reversed(tree.items())))
    assert one != lay(tmp_path_factory.mktemp("three"), {**tree, "more": b""})


def test_missing_space_is_said_with_the_amount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "free_bytes", lambda _: 1_000_000)
    with pytest.raises(SpaceError, match=r"4\.0 MB are missing") as caught:
        files.require_space(tmp_path / "not yet there", 5_000_000, "test")
    assert caught.value.code == 6


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, SpaceError),
        (errno.EACCES, PrerequisiteError),
        (errno.EROFS, PrerequisiteError),
    ],
)
def test_os_errors_get_a_next_step(tmp_path: Path, number: int, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught, files.explain_os_errors(tmp_path, "write"):
        raise OSError(number, "said the system")
    assert caught.value.next_step  # type: ignore[attr-defined]


def test_other_os_errors_pass_through(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), files.explain_os_errors(tmp_path, "write"):
        raise IsADirectoryError(errno.EISDIR, "folder")


def test_a_held_lock_is_waited_for_then_reported(tmp_path: Path) -> None:
    waited = []
    lock = tmp_path / "l.lock"
    again = files.lock(lock, timeout=0.3, on_wait=lambda: waited.append(1))
    with files.lock(lock), pytest.raises(BusyError), again:
        pass
    assert waited == [1]
    with files.lock(tmp_path / "l.lock", timeout=0):
        pass


def test_a_sealed_folder_is_used_only_as_it_was_sealed(tmp_path: Path) -> None:
    folder = tmp_path / "tool"
    folder.mkdir()
    (folder / "program").write_bytes(b"x")
    assert not files.is_sealed(folder)
    files.seal(folder)
    files.require_unchanged(folder, "the tool")
    (folder / "program").write_bytes(b"y")
    assert files.is_sealed(folder)
    with pytest.raises(TrustError) as caught:
        files.require_unchanged(folder, "the tool")
    assert caught.value.code == 5
    assert not files.is_sealed(folder), "the next setup fetches it again"


def test_removing_does_not_change_a_file_that_others_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, tree = tmp_path / "theirs", tmp_path / "tree"
    original.write_bytes(b"x")
    original.chmod(0o444)
    tree.mkdir()
    (tree / "ours").hardlink_to(original)
    before, real, refused = original.stat().st_mode, os.unlink, list[str]()

    def unlink(path: str, **options: int) -> None:
        if not refused:
            refused.append(path)
            raise PermissionError(13, "Permission denied", path)
        real(path, **options)

    monkeypatch.setattr(os, "unlink", unlink)
    files.remove_tree(tree)
    assert refused
    assert not tree.exists()
    assert original.stat().st_mode == before


def test_the_home_of_nobody_is_a_name_like_any_other() -> None:
    assert files.user_path("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")
    assert files.user_path("~/x") == Path.home() / "x"
