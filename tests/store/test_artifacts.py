"""The store trusts nothing that changed after it was sealed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

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
