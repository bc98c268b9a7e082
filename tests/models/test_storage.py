"""Models on disk: what counts as here, and when bytes are looked at again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from smolpc.console import Silent
from smolpc.errors import PrerequisiteError, TrustError
from smolpc.models import storage
from smolpc.schema.artifact import ModelRecord
from tests.models.manifests import GGUF, SHA, manifest


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "Modelle für alle"


@pytest.fixture
def record(models: Path) -> ModelRecord:
    return put(models)


def put(models: Path, name: str = "tiny", data: bytes = GGUF) -> ModelRecord:
    wanted = manifest(name=name, data=data)
    folder = storage.folder_of(models, wanted.file.sha256)
    folder.mkdir(parents=True)
    (folder / wanted.file.filename).write_bytes(data)
    return storage.write_record(folder, wanted, "a test")


def test_a_recorded_model_is_found(models: Path, record: ModelRecord):
    assert storage.find(models, SHA) == record
    assert storage.require(models, SHA, "tiny") == record
    assert storage.path_of(models, record).read_bytes() == GGUF
    assert (record.size, record.license) == (len(GGUF), "Apache-2.0")
    other = put(models, "another", b"other")
    (models / f"{SHA}.lock").touch()
    assert storage.installed(models) == [other, record]


@pytest.mark.parametrize("broken", ["no record", "bad record", "no file", "other digest", "path"])
def test_what_is_not_complete_is_not_a_model(models: Path, record: ModelRecord, broken: str):
    sentinel = models / SHA / storage.RECORD
    if broken == "no record":
        sentinel.unlink()
    elif broken == "bad record":
        sentinel.write_bytes(sentinel.read_bytes()[:40])
    elif broken == "no file":
        storage.path_of(models, record).unlink()
    elif broken == "other digest":
        sentinel.write_text(sentinel.read_text().replace(SHA, "0" * 64))
    else:
        sentinel.write_text(sentinel.read_text().replace("tiny.gguf", "../tiny.gguf"))
        storage.path_of(models, record).rename(models / "tiny.gguf")
    assert storage.find(models, SHA) is None
    assert storage.installed(models) == []
    with pytest.raises(PrerequisiteError) as caught:
        storage.require(models, SHA, "tiny")
    assert caught.value.next_step == "smolpc models.pull tiny"


def test_an_empty_store(models: Path):
    assert storage.installed(models) == []
    assert storage.find(models, SHA) is None


def test_verify_hashes_and_what_changed_is_refused_from_then_on(models: Path, record: ModelRecord):
    assert [one.ok for one in storage.verify(models, [record], Silent())] == [True]
    path = storage.path_of(models, record)
    path.write_bytes(b"!" + GGUF[1:])
    os.utime(path, ns=(record.mtime_ns, record.mtime_ns))  # a silent change
    (result,) = storage.verify(models, [record], Silent())
    assert not result.ok
    assert hashlib.sha256(path.read_bytes()).hexdigest() in result.detail
    stale = storage.require(models, SHA, "tiny")
    with pytest.raises(TrustError):
        storage.ensure_unchanged(stale, path)
    path.unlink()
    assert storage.verify(models, [record], Silent())[0].detail == "the file is missing"


def test_a_change_whose_time_was_set_back_is_noticed(models: Path, record: ModelRecord):
    path = storage.path_of(models, record)
    with path.open("r+b") as stream:
        stream.write(b"!")
    os.utime(path, ns=(record.mtime_ns, record.mtime_ns))
    with pytest.raises(TrustError):
        storage.ensure_unchanged(record, path)


def test_another_name_for_the_file_is_no_reason_to_plan_anything(
    models: Path, record: ModelRecord, tmp_path: Path
):
    path = storage.path_of(models, record)
    os.link(path, tmp_path / "another name")
    assert storage.seems_recorded(models, record)
    fresh = storage.ensure_unchanged(record, path)
    assert storage.as_recorded(models, fresh)
    os.utime(path, ns=(1, 1))
    assert not storage.seems_recorded(models, fresh)


def test_an_unchanged_file_is_not_read_again(
    models: Path, record: ModelRecord, monkeypatch: pytest.MonkeyPatch
):
    def read(path: Path, reporter: object) -> str:
        raise AssertionError("the model was hashed")

    monkeypatch.setattr(storage, "_hash", read)
    assert storage.ensure_unchanged(record, storage.path_of(models, record)) == record


def test_a_restored_copy_is_hashed_once_and_recorded(models: Path, record: ModelRecord):
    path = storage.path_of(models, record)
    os.utime(path, ns=(1, 1))
    assert not storage.as_recorded(models, record)
    fresh = storage.ensure_unchanged(record, path)
    assert storage.find(models, SHA) == fresh
    assert storage.as_recorded(models, fresh)


@pytest.mark.parametrize("data", [GGUF + b"!", b"!" + GGUF[1:], None])
def test_a_changed_file_is_not_trusted(models: Path, record: ModelRecord, data: bytes | None):
    path = storage.path_of(models, record)
    path.unlink()
    if data is not None:
        path.write_bytes(data)
        os.utime(path, ns=(1, 1))
    with pytest.raises(TrustError) as caught:
        storage.ensure_unchanged(record, path)
    assert caught.value.code == 5
    assert caught.value.next_step == "smolpc models.pull tiny"


def test_remove(models: Path, record: ModelRecord):
    assert storage.remove(models, record) == len(GGUF)
    assert storage.installed(models) == []
    assert [path.name for path in models.iterdir() if path.is_dir()] == []
