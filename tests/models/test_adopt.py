"""A local file becomes a stored model: shared where possible, verified, whole or not at all."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from smolpc import files
from smolpc.errors import SpaceError, TrustError
from smolpc.models import adopt, storage
from tests.models.manifests import GGUF, SHA, manifest


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "store" / "models"


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "blobs" / f"sha256-{SHA}"
    path.parent.mkdir()
    path.write_bytes(GGUF)
    path.chmod(0o444)
    return path


def leftovers(models: Path) -> list[str]:
    return [path.name for path in models.iterdir() if path.is_dir()]


def no_links(monkeypatch: pytest.MonkeyPatch, *kinds: str) -> None:
    for kind in kinds:

        def refuse(self: Path, target: Path, target_is_directory: bool = False) -> None:
            raise OSError(errno.EXDEV, "Invalid cross-device link", str(self))

        monkeypatch.setattr(Path, kind, refuse)


def test_the_bytes_are_shared_and_the_original_is_as_it_was(models: Path, original: Path):
    before = original.stat()
    record = adopt.adopt(models, manifest(), original, "a test")
    stored = storage.path_of(models, record)
    after = original.stat()
    assert stored.samefile(original)
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert (record.name, record.source, record.sha256) == ("tiny", "a test", SHA)
    assert storage.as_recorded(models, record)
    assert leftovers(models) == [SHA]
    storage.remove(models, record)
    assert original.read_bytes() == GGUF
    assert original.stat().st_mode == before.st_mode


def test_without_hard_links_a_symbolic_one(
    models: Path, original: Path, monkeypatch: pytest.MonkeyPatch
):
    no_links(monkeypatch, "hardlink_to")
    record = adopt.adopt(models, manifest(), original, "a test")
    stored = storage.path_of(models, record)
    assert stored.is_symlink()
    assert storage.as_recorded(models, record)
    assert storage.ensure_unchanged(record, stored) == record
    storage.remove(models, record)
    assert original.read_bytes() == GGUF


@pytest.mark.parametrize("how", ["link", "copy"])
def test_a_copy_shares_nothing(
    models: Path, original: Path, monkeypatch: pytest.MonkeyPatch, how: str
):
    if how == "link":
        no_links(monkeypatch, "hardlink_to", "symlink_to")
    record = adopt.adopt(models, manifest(), original, "a test", how=how)
    stored = storage.path_of(models, record)
    assert not stored.is_symlink()
    assert not stored.samefile(original)
    assert stored.read_bytes() == GGUF


def test_a_copy_that_does_not_fit_is_refused_before_a_byte_is_written(
    models: Path, original: Path, monkeypatch: pytest.MonkeyPatch
):
    def copy(*_: object) -> None:
        raise AssertionError("bytes were written")

    monkeypatch.setattr(shutil, "copyfile", copy)
    monkeypatch.setattr(files, "free_bytes", lambda _: 10)
    with pytest.raises(SpaceError):
        adopt.adopt(models, manifest(), original, "a test", how="copy")
    assert leftovers(models) == []


@pytest.mark.parametrize("size", [len(GGUF), len(GGUF) - 1])
def test_other_bytes_leave_nothing(models: Path, original: Path, size: int):
    original.chmod(0o644)
    original.write_bytes(b"!" * size)
    with pytest.raises(TrustError) as caught:
        adopt.adopt(models, manifest(), original, "a test")
    assert "sha256" in caught.value.why or "bytes" in caught.value.why
    assert leftovers(models) == []
    assert storage.installed(models) == []


def test_what_the_check_refuses_leaves_nothing(models: Path, original: Path):
    seen: list[bytes] = []

    def check(path: Path) -> None:
        assert storage.find(models, SHA) is None  # not before it passed
        seen.append(path.read_bytes())
        raise TrustError("no")

    with pytest.raises(TrustError, match="no"):
        adopt.adopt(models, manifest(), original, "a test", check=check)
    assert seen == [GGUF]
    assert leftovers(models) == []


def test_a_file_that_is_written_to_while_it_is_checked_is_refused(models: Path, original: Path):
    def check(_: Path) -> None:
        original.chmod(0o644)
        original.write_bytes(b"!" + GGUF[1:])

    with pytest.raises(TrustError, match="not what it should be"):
        adopt.adopt(models, manifest(), original, "a test", check=check)
    assert leftovers(models) == []


def test_an_unfinished_download_survives_a_failure_and_not_a_success(models: Path, original: Path):
    part = models / f".incoming-{SHA}" / "tiny.gguf.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(GGUF[:1000])
    with pytest.raises(FileNotFoundError):
        adopt.adopt(models, manifest(), original.with_name("missing"), "a test")
    assert part.read_bytes() == GGUF[:1000]
    adopt.adopt(models, manifest(), original, "a test")
    assert leftovers(models) == [SHA]


def test_a_model_that_is_here_is_not_brought_again(models: Path, original: Path, tmp_path: Path):
    record = adopt.adopt(models, manifest(), original, "a test")

    def check(_: Path) -> None:
        raise AssertionError("it was brought again")

    other = replace(manifest(), name="other")
    assert adopt.adopt(models, other, tmp_path / "missing", "x", check=check) == record


def test_a_damaged_one_is_replaced(models: Path, original: Path):
    record = adopt.adopt(models, manifest(), original, "a test", how="copy")
    stored = storage.path_of(models, record)
    stored.write_bytes(b"!" * len(GGUF))
    again = adopt.adopt(models, manifest(), original, "a test")
    assert storage.path_of(models, again).read_bytes() == GGUF


def test_another_error_of_the_disk_is_no_reason_to_copy(
    models: Path, original: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "hardlink_to", fail)
    with pytest.raises(SpaceError):
        adopt.adopt(models, manifest(), original, "a test")
    assert leftovers(models) == []
