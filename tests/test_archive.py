"""Archives of strangers: good ones arrive whole, hostile ones leave nothing behind."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc import archive, files
from smolpc.archive import entries
from smolpc.archive.entries import Entry, select
from smolpc.console import Silent
from smolpc.errors import SpaceError, TrustError

TREE = {
    "pkg-1.0/README": b"read me",
    "pkg-1.0/vendor/engine/src/main.c": b"int main(void) { return 0; }" * 100,
    "pkg-1.0/vendor/engine/run.sh": b"#!/bin/sh",
    "pkg-1.0/vendor/engine/größe.txt": "zwölf".encode(),
    "pkg-1.0/vendor/engineering": b"not below engine",
}


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as made:  # type: ignore[call-overload]
        for info, data in members:
            made.addfile(info, io.BytesIO(data))
    return path


def regular(name: str, data: bytes = b"x", mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    return info, data


def special(name: str, kind: bytes, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info, b""


def zip_of(path: Path, tree: dict[str, bytes], modes: dict[str, int] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in tree.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (modes or {}).get(name, 0o100644) << 16
            made.writestr(info, data)
    return path


def make_tree(path: Path) -> Path:
    modes = {name: 0o755 if name.endswith(".sh") else 0o644 for name in TREE}
    if path.suffix == ".zip":
        return zip_of(path, TREE, {name: 0o100000 | mode for name, mode in modes.items()})
    members = [regular(name, data, modes[name]) for name, data in TREE.items()]
    kind = {".gz": "w:gz", ".xz": "w:xz", ".tar": "w"}[path.suffix]
    return tar_of(path, *members, mode=kind)


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files.walk(root)}


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar.xz", "a.tar", "a.zip"])
def test_everything_arrives(tmp_path: Path, name: str):
    into = tmp_path / "Ziel ä" / "out"
    done = archive.extract(make_tree(tmp_path / name), into, reporter=Silent())
    assert contents(into) == TREE
    assert done == archive.Extracted(len(TREE), sum(map(len, TREE.values())))
    assert files.is_executable(into / "pkg-1.0/vendor/engine/run.sh")
    assert not files.is_executable(into / "pkg-1.0/README")
    assert [path.name for path in into.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_one_folder_arrives(tmp_path: Path, name: str):
    made = make_tree(tmp_path / name)
    archive.extract(
        made, tmp_path / "out", reporter=Silent(), only="pkg-1.0/vendor/engine", strip=3
    )
    assert set(contents(tmp_path / "out")) == {"src/main.c", "run.sh", "größe.txt"}
    with pytest.raises(TrustError, match="does not hold"):
        archive.extract(made, tmp_path / "none", reporter=Silent(), only="pkg-1.0/nothing")
    with pytest.raises(FileExistsError):
        archive.extract(made, tmp_path / "out", reporter=Silent())


def test_links_inside_are_kept(tmp_path: Path):
    made = tar_of(
        tmp_path / "a.tar.gz",
        regular("top/a/file", b"data"),
        special("top/b/link", tarfile.SYMTYPE, "../a/file"),
        special("top/b/hard", tarfile.LNKTYPE, "top/a/file"),
    )
    archive.extract(made, tmp_path / "out", reporter=Silent(), strip=1)
    assert (tmp_path / "out/b/link").is_symlink()
    assert (tmp_path / "out/b/link").read_bytes() == b"data"
    assert (tmp_path / "out/b/hard").read_bytes() == b"data"


HOSTILE: dict[str, list[tuple[tarfile.TarInfo, bytes]]] = {
    "climbs": [regular("../evil")],
    "climbs in the middle": [regular("a/../../evil")],
    "climbs with a backslash": [regular("..\\evil")],
    "absolute": [regular("/etc/evil")],
    "drive": [regular("C:/evil")],
    "drive-relative": [regular("C:evil")],
    "share": [regular("\\\\server\\share\\evil")],
    "alternate stream": [regular("file:stream")],
    "device name": [regular("dir/NUL.txt")],
    "trailing dot": [regular("dir./file")],
    "trailing space": [regular("file ")],
    "control character": [regular("a\nb")],
    "very long name": [regular("x" * 300)],
    "not text": [regular("a\udcff")],
    "link outside": [special("l", tarfile.SYMTYPE, "../evil")],
    "absolute link": [special("l", tarfile.SYMTYPE, "/etc/passwd")],
    "link through a link": [
        special("a/b/up", tarfile.SYMTYPE, "../.."),
        special("l", tarfile.SYMTYPE, "a/b/up/../../evil"),
    ],
    "file through a link": [special("d", tarfile.SYMTYPE, "e"), regular("d/file")],
    "hard link outside": [special("l", tarfile.LNKTYPE, "/etc/passwd")],
    "hard link to itself": [special("l", tarfile.LNKTYPE, "l")],
    "hard link to a link": [
        special("s", tarfile.SYMTYPE, "x"),
        special("l", tarfile.LNKTYPE, "s"),
    ],
    "fifo": [special("pipe", tarfile.FIFOTYPE)],
    "device": [special("disk", tarfile.BLKTYPE)],
    "twice": [regular("a"), regular("a")],
    "case": [regular("Makefile"), regular("makefile")],
    "case of a folder": [regular("Src/a"), regular("src/b")],
    "unicode form": [regular("caf\u00e9"), regular("cafe\u0301")],
    "file and folder": [regular("a"), regular("a/b")],
    "folder and file": [regular("a/b"), regular("a")],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_tar_leaves_nothing(tmp_path: Path, case: str):
    inner = tmp_path / "inner"
    inner.mkdir()
    made = tar_of(tmp_path / "a.tar.gz", regular("good"), *HOSTILE[case])
    with pytest.raises(TrustError) as caught:
        archive.extract(made, inner / "out", reporter=Silent())
    assert caught.value.code == 5
    assert list(inner.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"a.tar.gz", "inner"}


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "C:\\evil", "a\\..\\evil"])
def test_a_hostile_zip_leaves_nothing(tmp_path: Path, name: str):
    inner = tmp_path / "inner"
    inner.mkdir()
    with pytest.raises(TrustError):
        archive.extract(
            zip_of(tmp_path / "a.zip", {"good": b"", name: b"x"}), inner / "o", reporter=Silent()
        )
    assert list(inner.iterdir()) == []


def test_a_link_in_a_zip_is_refused(tmp_path: Path):
    made = zip_of(tmp_path / "a.zip", {"l": b"/etc/passwd"}, {"l": stat.S_IFLNK | 0o777})
    with pytest.raises(TrustError, match="not a file"):
        archive.extract(made, tmp_path / "out", reporter=Silent())


def test_bombs_are_refused_before_they_unfold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(entries, "BOMB_FLOOR", 100_000)
    for made in (
        zip_of(tmp_path / "a.zip", {"zeros": bytes(5_000_000)}),
        tar_of(tmp_path / "a.tar.gz", regular("zeros", bytes(5_000_000))),
    ):
        with pytest.raises(TrustError, match="unpacks to more than"):
            archive.extract(made, tmp_path / "out", reporter=Silent())
    monkeypatch.setattr(entries, "MOST_ENTRIES", 100)
    with pytest.raises(TrustError, match="more than 100 entries"):
        select((Entry(f"f{n}", "file") for n in range(101)), "a", 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar.xz", "a.zip"])
@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "text"])
def test_a_damaged_archive_leaves_nothing(tmp_path: Path, name: str, damage: str):
    made = make_tree(tmp_path / name)
    data = made.read_bytes()
    middle = len(data) // 2
    made.write_bytes(
        {
            "cut": data[:middle],
            "changed": data[: middle - 40] + bytes(80) + data[middle + 40 :],
            "empty": b"",
            "text": b"<html>please log in</html>" * 100,
        }[damage]
    )
    with pytest.raises(TrustError):
        archive.extract(made, tmp_path / "out", reporter=Silent())
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_space_is_checked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = make_tree(tmp_path / "a.tar.gz")
    monkeypatch.setattr(files, "free_bytes", lambda path: 10)
    with pytest.raises(SpaceError, match="missing"):
        archive.extract(made, tmp_path / "out", reporter=Silent())
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_an_interrupted_unpacking_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(temporary: Path, final: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "publish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        archive.extract(make_tree(tmp_path / "a.zip"), tmp_path / "out", reporter=Silent())
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_one_member_is_streamed(tmp_path: Path):
    made = make_tree(tmp_path / "a.zip")
    with archive.member(made, "pkg-1.0/README") as stream:
        assert stream.read() == b"read me"
    with (
        pytest.raises(TrustError, match="does not hold"),
        archive.member(made, "pkg-1.0/nothing"),
    ):
        pass


# --- properties

pieces = st.one_of(
    st.sampled_from(["..", ".", "", "a", "A", "b", "con", "x:y", "\\", "c:", "\u00e9", "e\u0301"]),
    st.text(max_size=4),
)
names = st.lists(pieces, min_size=1, max_size=5).map("/".join)


def outcome(action: Callable[[], list[entries.Selected]]) -> list[entries.Selected]:
    try:
        return action()
    except TrustError:
        return []


@given(st.lists(names, max_size=6), st.integers(0, 2))
def test_no_name_leaves_the_folder_or_merges(found: list[str], strip: int):
    chosen = outcome(lambda: select([Entry(n, "file", 1) for n in found], "a", 100, strip=strip))
    paths = [one.path for one in chosen]
    for path in paths:
        assert not path.is_absolute()
        assert path.parts
        assert not {"..", "."} & set(path.parts)
        assert not set(str(path)) & set('\\:<>"|?*\0')
    folded = [str(path).casefold() for path in paths]
    assert len(set(folded)) == len(folded)


links = st.lists(st.sampled_from(["..", ".", "", "a", "b", "l", "\\"]), max_size=6).map("/".join)


@given(st.lists(st.tuples(names, links), max_size=6))
def test_no_chain_of_links_leaves_the_folder(found: list[tuple[str, str]]):
    chosen = outcome(
        lambda: select([Entry(name, "link", link=link) for name, link in found], "a", 100)
    )
    targets = {one.path.parts: PurePosixPath(one.entry.link).parts for one in chosen}
    for path in targets:
        assert resolves_inside(path, targets)


def resolves_inside(path: tuple[str, ...], targets: dict[tuple[str, ...], tuple[str, ...]]) -> bool:
    """Follow links as a file system does; False when a step goes above the root."""
    todo, here = list(path), ()
    for _ in range(200):  # more means a loop, which a file system refuses too
        if not todo:
            return True
        step = todo.pop(0)
        if step == "..":
            if not here:
                return False
            here = here[:-1]
            continue
        here = (*here, step)
        if here in targets:
            todo = [*targets[here], *todo]
            here = here[:-1]
    return True
