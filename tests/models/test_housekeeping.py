"""What the disk is used for, what may go, and what never goes by itself."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from smolpc import files
from smolpc.console import Silent
from smolpc.errors import UsageError
from smolpc.models import housekeeping, lookup, storage
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.model import Defaults
from smolpc.store import Store, gc, generations
from tests.models.manifests import GGUF, SHA, manifest


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "Größe")
    made.prepare()
    return made


def put(store: Store, name: str, data: bytes) -> ModelRecord:
    wanted = manifest(name=name, data=data)
    folder = storage.folder_of(store.models, wanted.sha256)
    folder.mkdir(parents=True)
    (folder / wanted.file.filename).write_bytes(data)
    return storage.write_record(folder, wanted, "a test")


def use(store: Store, record: ModelRecord) -> None:
    generations.commit(
        store,
        profile="p",
        artifact="0" * 64,
        model=record.sha256,
        model_name=record.name,
        notes=(),
    )


def test_the_report_adds_up(store: Store) -> None:
    record = put(store, "tiny", GGUF)
    use(store, put(store, "other", b"x" * 1000))
    report = housekeeping.report(store)
    parts = {area.name: area.bytes for area in report.areas}
    assert parts["models"] >= len(GGUF) + 1000
    used = {model.name: model.used for model in report.models}
    assert used == {"tiny": "", "other": "the current setup"}
    assert record.sha256 in {model.sha256 for model in report.models}


@pytest.mark.parametrize("kind", ["hard link", "symlink"])
def test_a_shared_file_frees_nothing(store: Store, tmp_path: Path, kind: str) -> None:
    record = put(store, "tiny", GGUF)
    path = storage.path_of(store.models, record)
    if kind == "hard link":
        os.link(path, tmp_path / "elsewhere.gguf")
    else:
        path.rename(tmp_path / "elsewhere.gguf")
        path.symlink_to(tmp_path / "elsewhere.gguf")
    (model,) = housekeeping.report(store).models
    assert (model.bytes, model.own_bytes) == (len(GGUF), 0)
    housekeeping.remove(store, record)
    assert (tmp_path / "elsewhere.gguf").read_bytes() == GGUF


def test_little_free_space_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = housekeeping.shutil.disk_usage(store.root)
    assert housekeeping.report(store).low == (real.free * 10 < real.total)
    full = type(real)(total=1000, used=901, free=99)
    monkeypatch.setattr(housekeeping.shutil, "disk_usage", lambda path: full)
    assert housekeeping.report(store).low
    assert "models.storage" in housekeeping.low_space(store)
    half = type(real)(total=1000, used=900, free=100)
    monkeypatch.setattr(housekeeping.shutil, "disk_usage", lambda path: half)
    assert not housekeeping.report(store).low
    assert housekeeping.low_space(store) == ""


def test_a_model_in_use_is_removed_only_by_force(store: Store) -> None:
    first, second = put(store, "first", b"1" * 10), put(store, "second", b"2" * 20)
    use(store, first)
    use(store, second)
    for record, why in ((first, "earlier setup 1"), (second, "the current setup")):
        with pytest.raises(UsageError, match="in use") as caught:
            housekeeping.remove(store, record)
        assert why in caught.value.why
    assert housekeeping.remove(store, first, force=True, dry_run=True).bytes == 10
    assert storage.find(store.models, first.sha256) == first
    housekeeping.remove(store, first, force=True)
    assert storage.installed(store.models) == [second]


def test_prune_takes_leftovers_and_damage_and_models_only_when_asked(store: Store) -> None:
    kept, spare = put(store, "kept", b"k" * 10), put(store, "spare", b"s" * 10)
    short = put(store, "short", b"t" * 10)
    use(store, kept)
    storage.path_of(store.models, short).write_bytes(b"t")
    (store.models / ("e" * 64)).mkdir()
    incoming = store.models / f".incoming-{SHA}"
    incoming.mkdir()
    (incoming / "part").write_bytes(b"half")
    wrong = put(store, "wrong", b"w" * 10)
    storage.path_of(store.models, wrong).write_bytes(b"W" * 10)
    storage.verify(store.models, [wrong], Silent())
    with files.lock(store.models / ".quantizing-x.lock"):
        (store.models / ".quantizing-x").mkdir()
        names = {Path(item.path).name for item in housekeeping.prunable(store)}
        assert names == {short.sha256, wrong.sha256, "e" * 64, incoming.name}
        housekeeping.prune(store)
    assert storage.installed(store.models) == [kept, spare]
    (item,) = housekeeping.prune(store)
    assert Path(item.path).name == ".quantizing-x"  # whoever worked there was killed
    (item,) = housekeeping.prune(store, unused=True)
    assert "spare" in item.why
    assert storage.installed(store.models) == [kept]


def test_a_pull_at_work_is_left_alone(store: Store) -> None:
    incoming = store.models / f".incoming-{SHA}"
    incoming.mkdir()
    os.utime(incoming, (1, 1))
    with files.lock(storage.lock_of(store.models, SHA)):
        assert housekeeping.prunable(store) == []
    assert len(housekeeping.prunable(store)) == 1


def test_what_a_pull_finished_meanwhile_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the listing and the removal a pull completes the model."""
    (store.models / SHA).mkdir()
    (item,) = housekeeping.prunable(store)
    (store.models / SHA).rmdir()
    record = put(store, "tiny", GGUF)
    monkeypatch.setattr(housekeeping, "prunable", lambda *_, **__: [item])
    assert housekeeping.prune(store) == []
    assert storage.installed(store.models) == [record]


def test_a_pull_that_began_meanwhile_is_left_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    incoming = store.models / f".incoming-{SHA}"
    incoming.mkdir()
    listed = housekeeping.prunable(store)
    monkeypatch.setattr(housekeeping, "prunable", lambda *_, **__: listed)
    with files.lock(storage.lock_of(store.models, SHA)):
        assert housekeeping.prune(store) == []
    assert incoming.exists()


def test_scratch_folders_are_safe_while_they_are_used(store: Store) -> None:
    with gc.scratch(store, gc.SCRATCH[0]) as folder:
        assert housekeeping.prunable(store) == []
        (folder / "result").write_bytes(b"half")
    assert list(store.models.iterdir()) == []


def test_names_of_stored_models(store: Store) -> None:
    record = put(store, "tiny", GGUF)
    wanted = manifest(name="tiny-q4_1", data=GGUF)
    aliased = type(wanted)(
        **{name: getattr(wanted, name) for name in wanted.__struct_fields__}
        | {"aliases": ("tiny:1b",)}
    )
    for text in ("tiny", "TINY", SHA[:6], SHA):
        assert lookup.installed(store.models, text) == record
    for text in ("tiny-q4_1", "tiny:1B"):
        assert lookup.installed(store.models, text, [aliased]) == record
        assert lookup.installed(store.models, text) is None
    assert lookup.installed(store.models, SHA[:5]) is None
    other = msgspec.structs.replace(
        manifest(name="big", data=b"GGUF big"), aliases=("big:7b", "big")
    )
    for text in ("big", "BIG:7B"):
        with pytest.raises(UsageError, match="big:7b is not on this machine") as caught:
            lookup.require_installed(store.models, text, [aliased, other])
        assert caught.value.next_step == "smolpc models.pull big:7b"
        assert caught.value.why == "stored here: tiny"
    with pytest.raises(UsageError, match="did you mean 'tiny:1b'"):
        lookup.require_installed(store.models, "tiny:1", [aliased])


def test_the_system_prompt_of_the_name_that_was_typed(store: Store) -> None:
    record = put(store, "tiny", GGUF)
    plain, pirate, poet = (
        msgspec.structs.replace(
            manifest(name=name, data=GGUF), defaults=Defaults(system=text) if text else None
        )
        for name, text in (("tiny", ""), ("pirate", "Arr."), ("poet", "Rhyme."))
    )
    both = [plain, pirate, poet]
    assert lookup.brought_along(record, "POET", both)[0].system == "Rhyme."
    assert lookup.brought_along(record, "tiny", [plain])[0].system == ""
    assert lookup.brought_along(record, "tiny", both)[0].system in ("Arr.", "Rhyme.")
