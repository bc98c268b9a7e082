"""The store trusts nothing that changed after it was sealed."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from smolpc import files
from smolpc.errors import TrustError, UsageError
from smolpc.schema.artifact import Artifact, Requirements, TrustResult
from smolpc.store import Store, artifacts
from tests.plan.test_spec import BASE

FILES = {"lib/libx.so": b"library", "bin/tool": b"program", "licenses/x/LICENSE": b"text"}


def make(root: Path) -> Artifact:
    """A sealed artifact with the files above."""
    for name, data in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "bin/tool").chmod(0o755)
    found = artifacts.entries(root)
    artifact = Artifact(
        key=BASE.key,
        spec=BASE,
        profile="linux-x86_64-avx2",
        content_digest=artifacts.content_digest(found),
        files=found,
        lib_dir="lib",
        requirements=Requirements(system="linux", arch="x86_64"),
        cmake_cache={},
        compilers={},
        abi={},
        trust=TrustResult(verdict="passed", checks={}),
    )
    artifacts.seal(root, artifact)
    return artifact


def test_a_sound_artifact_is_read_back(tmp_path: Path) -> None:
    made = make(tmp_path / "a")
    assert artifacts.open_verified(tmp_path / "a") == made


@pytest.mark.parametrize("name", [*FILES, artifacts.MANIFEST, artifacts.SENTINEL])
@pytest.mark.parametrize("where", [0, -1])
def test_a_flipped_byte_in_any_file_is_caught(tmp_path: Path, name: str, where: int) -> None:
    make(tmp_path)
    data = bytearray((tmp_path / name).read_bytes().rstrip(b"\n"))
    data[where] ^= 1
    (tmp_path / name).write_bytes(bytes(data))
    with pytest.raises(TrustError) as caught:
        artifacts.open_verified(tmp_path)
    assert caught.value.code == 5
    assert "smolpc" in caught.value.next_step


@pytest.mark.parametrize("name", [*FILES, artifacts.MANIFEST, artifacts.SENTINEL])
def test_a_missing_file_is_caught(tmp_path: Path, name: str) -> None:
    make(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(TrustError):
        artifacts.open_verified(tmp_path)


def test_an_added_file_is_caught(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "lib/libggml-evil.so").write_bytes(b"loaded by name")
    with pytest.raises(TrustError, match="not part of"):
        artifacts.open_verified(tmp_path)


def test_the_content_digest_ignores_place_and_time(tmp_path: Path) -> None:
    one, other = make(tmp_path / "a"), make(tmp_path / "path with ü and space" / "b")
    assert one.content_digest == other.content_digest
    (tmp_path / "a/bin/tool").chmod(0o644)
    assert artifacts.content_digest(artifacts.entries(tmp_path / "a")) != one.content_digest


def test_a_folder_without_the_sentinel_does_not_exist(tmp_path: Path) -> None:
    store = Store(tmp_path)
    make(store.artifact(BASE.key))
    assert artifacts.keys(store) == [BASE.key]
    (store.artifact(BASE.key) / artifacts.SENTINEL).unlink()
    assert artifacts.keys(store) == []


def test_an_artifact_is_found_by_the_start_of_its_key(tmp_path: Path) -> None:
    store = Store(tmp_path)
    make(store.artifact(BASE.key))
    assert artifacts.find(store, BASE.key[:6]) == BASE.key
    with pytest.raises(UsageError):
        artifacts.find(store, "zz")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"trust": None}, "never passed"),
        ({"trust": TrustResult(verdict="inconclusive", checks={})}, "never passed"),
        ({"profile": "other"}, ""),
    ],
)
def test_a_stored_artifact_was_proved(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    store = Store(tmp_path)
    folder = store.artifact(BASE.key)
    artifacts.seal(folder, msgspec.structs.replace(make(folder), **changes))
    if said:
        with pytest.raises(TrustError, match=said):
            artifacts.open_stored(store, BASE.key)
    else:
        artifacts.open_stored(store, BASE.key)


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, list[str]]:
    """A store with an artifact of large files, and the names of the files that are hashed."""
    monkeypatch.setattr(artifacts, "LARGE", 1)
    store = Store(tmp_path / "store")
    make(store.artifact(BASE.key))
    hashed: list[str] = []
    real = files.sha256_file

    def watched(path: Path) -> str:
        hashed.append(path.name)
        return real(path)

    monkeypatch.setattr(files, "sha256_file", watched)
    return store, hashed


def test_large_files_are_hashed_once_and_when_somebody_asks(
    large: tuple[Store, list[str]],
) -> None:
    store, hashed = large
    artifacts.open_stored(store, BASE.key)
    assert sorted(hashed) == ["LICENSE", "libx.so", "tool"]
    hashed.clear()
    artifacts.open_stored(store, BASE.key)
    assert hashed == []
    artifacts.open_stored(store, BASE.key, whole=True)
    assert sorted(hashed) == ["LICENSE", "libx.so", "tool"]


def test_a_large_file_that_changed_is_caught(large: tuple[Store, list[str]]) -> None:
    store, hashed = large
    artifacts.open_stored(store, BASE.key)
    hashed.clear()
    library = store.artifact(BASE.key) / "lib/libx.so"
    library.write_bytes(b"LIBRARY")  # as long as before
    with pytest.raises(TrustError, match="was changed") as caught:
        artifacts.open_stored(store, BASE.key)
    assert "lib/libx.so has other content" in caught.value.why
    assert hashed == ["libx.so"]
    with pytest.raises(TrustError):  # what was found is not forgotten
        artifacts.open_stored(store, BASE.key)


def test_damage_that_leaves_no_trace_is_not_forgotten_once_somebody_looked(
    large: tuple[Store, list[str]],
) -> None:
    """As when a disk loses a bit: times and size are those that were noted."""
    store, _ = large
    library = store.artifact(BASE.key) / "lib/libx.so"
    library.write_bytes(b"LIBRARY")
    state = library.stat()
    stamp = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
    note = artifacts.seen_file(store, BASE.key)
    note.write_bytes(msgspec.json.encode({"lib/libx.so": stamp}))
    artifacts.open_stored(store, BASE.key)
    with pytest.raises(TrustError):
        artifacts.open_stored(store, BASE.key, whole=True)
    with pytest.raises(TrustError):
        artifacts.open_stored(store, BASE.key)


@pytest.mark.parametrize("text", [b"", b"[1]", b'{"lib/libx.so": [1]}', b'{"lib/libx.so": null}'])
def test_a_note_that_cannot_be_read_means_that_nothing_was_hashed(
    large: tuple[Store, list[str]], text: bytes
) -> None:
    store, hashed = large
    artifacts.seen_file(store, BASE.key).write_bytes(text)
    artifacts.open_stored(store, BASE.key)
    assert sorted(hashed) == ["LICENSE", "libx.so", "tool"]


def test_a_moved_artifact_is_hashed_again(large: tuple[Store, list[str]]) -> None:
    store, hashed = large
    artifacts.open_stored(store, BASE.key)
    other = Store(store.root.with_name("other"))
    shutil.copytree(store.root, other.root)
    hashed.clear()
    artifacts.open_stored(other, BASE.key)
    assert sorted(hashed) == ["LICENSE", "libx.so", "tool"]


def test_an_artifact_under_another_key_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    make(store.artifact(BASE.key))
    store.artifact(BASE.key).rename(store.artifact("a" * 64))
    with pytest.raises(TrustError, match="not what its folder says"):
        artifacts.open_stored(store, "a" * 64)


def test_a_manifest_of_another_version_is_refused_not_a_crash(tmp_path: Path) -> None:
    make(tmp_path)
    data = (tmp_path / artifacts.MANIFEST).read_bytes().replace(b'"lib_dir"', b'"lib_folder"')
    (tmp_path / artifacts.MANIFEST).write_bytes(data)
    (tmp_path / artifacts.SENTINEL).write_text(hashlib.sha256(data).hexdigest())
    with pytest.raises(TrustError, match="another version"):
        artifacts.open_verified(tmp_path)
