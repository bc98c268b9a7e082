"""Pulling models: verified, whole, once, from wheels, the web or a folder."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from smolpc import files, pypi
from smolpc.catalog import load_catalog, resolve_model
from smolpc.console import Silent
from smolpc.errors import NetworkError, SpaceError, TrustError, UsageError
from smolpc.models import download, storage
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.model import (
    FileSource,
    HttpsSource,
    ModelSource,
    WheelSource,
)
from tests.models.manifests import GGUF, SHA, manifest
from tests.models.school import School, folders
from tests.sim.server import Corrupt, Status, Truncate

pytest_plugins = ["tests.sim.fixtures"]


def test_the_member_of_a_wheel_becomes_a_model(school: School):
    source = school.wheel("tiny-model", GGUF)
    record = school.pull(manifest(source))
    assert storage.path_of(school.models, record).read_bytes() == GGUF
    assert (record.name, record.sha256, record.size) == ("tiny", SHA, len(GGUF))
    assert source.filename in record.source
    assert storage.as_recorded(school.models, record)
    assert folders(school) == [SHA]
    assert {path.name for path in (school.models / SHA).iterdir()} == {"tiny.gguf", "record.json"}
    assert files.walk(school.downloads) == []


def test_the_second_pull_asks_nobody(school: School):
    wanted = manifest(school.wheel("tiny-model", GGUF))
    first = school.pull(wanted)
    school.server.log.clear()
    assert school.pull(wanted) == first
    assert download.pull(wanted, school.store, school.settings, reporter=Silent()) == first
    assert school.server.log == []


def test_parts_are_joined_in_order_with_one_wheel_at_a_time(
    school: School, monkeypatch: pytest.MonkeyPatch
):
    cuts = (GGUF[:100_000], GGUF[100_000:100_001], GGUF[100_001:])
    most = 0
    real = pypi.fetch

    def watched(*args: object, **kwargs: object) -> str:
        nonlocal most
        index = real(*args, **kwargs)  # type: ignore[arg-type]
        most = max(most, len(list(school.downloads.rglob("*.whl"))))
        return index

    monkeypatch.setattr(pypi, "fetch", watched)
    record = school.pull(manifest(school.parts(*cuts)))
    assert storage.path_of(school.models, record).read_bytes() == GGUF
    assert most == 1


def test_parts_in_the_wrong_order_are_not_the_model(school: School):
    with pytest.raises(TrustError, match="is not the pinned model"):
        school.pull(manifest(school.parts(GGUF[100:], GGUF[:100])))
    assert storage.find(school.models, SHA) is None


@pytest.mark.parametrize("data", [GGUF[:-1], GGUF + b"!", b"!" + GGUF[1:]])
def test_a_wheel_with_another_model(school: School, data: bytes):
    with pytest.raises(TrustError, match="is not the pinned model") as caught:
        school.pull(manifest(school.wheel("tiny-model", data)))
    assert SHA in caught.value.why
    assert storage.installed(school.models) == []


def test_a_wheel_without_the_member(school: School):
    source = school.wheel("tiny-model", GGUF, member="pkg/other.gguf")
    wrong = WheelSource(
        project=source.project,
        version=source.version,
        filename=source.filename,
        sha256=source.sha256,
        size=source.size,
        member="pkg/model.gguf",
    )
    with pytest.raises(TrustError, match="does not hold"):
        school.pull(manifest(wrong))
    assert storage.installed(school.models) == []


@pytest.mark.parametrize("form", ["web", "folder"])
def test_other_sources(school: School, tmp_path: Path, form: str):
    school.server.add("/m.gguf", GGUF).fail(Truncate(1000))
    (tmp_path / "m.gguf").write_bytes(GGUF)
    source: ModelSource = (
        HttpsSource(url=school.server.url("/m.gguf?sig=geheim"))
        if form == "web"
        else FileSource(path=str(tmp_path / "m.gguf"))
    )
    record = school.pull(manifest(source))
    assert storage.path_of(school.models, record).read_bytes() == GGUF
    assert "geheim" not in record.source
    assert folders(school) == [SHA]


def test_sources_are_tried_in_order(school: School):
    said: list[str] = []

    class Notes(Silent):
        def note(self, text: str) -> None:
            said.append(text)

    wheel = school.wheel("tiny-model", GGUF)
    school.server.add("/wrong.gguf", bytes(len(GGUF)))
    wanted = manifest(
        HttpsSource(url=school.server.url("/gone.gguf")),
        HttpsSource(url=school.server.url("/wrong.gguf")),
        wheel,
    )
    assert wheel.filename in school.pull(wanted, Notes()).source
    assert len(said) == 2
    assert {path.name for path in (school.models / SHA).iterdir()} == {"tiny.gguf", "record.json"}


def test_when_no_source_works_the_worst_reason_counts(school: School):
    gone = HttpsSource(url=school.server.url("/gone.gguf"))
    wheel = school.wheel("tiny-model", GGUF)
    school.server.resources[f"/files/{wheel.filename}"].fail(Status(404), times=2)
    with pytest.raises(NetworkError, match="no source of the model tiny works"):
        school.pull(manifest(gone, wheel))
    school.server.add("/wrong.gguf", bytes(len(GGUF)))
    with pytest.raises(TrustError):
        school.pull(manifest(gone, HttpsSource(url=school.server.url("/wrong.gguf"))))
    with pytest.raises(UsageError, match="was made here and cannot be fetched"):
        school.pull(manifest())


def test_an_interrupted_pull_continues(school: School):
    source = school.wheel("tiny-model", GGUF)
    half = source.size // 2
    path = f"/files/{source.filename}"
    school.server.resources[path].fail(Truncate(half), Status(403))
    with pytest.raises(NetworkError):
        school.pull(manifest(source))
    assert storage.installed(school.models) == []
    school.pull(manifest(source))
    assert school.server.requests(path)[-1].headers["range"] == f"bytes={half}-"


def test_rubbish_of_earlier_pulls_does_no_harm(school: School):
    source = school.wheel("tiny-model", GGUF)
    incoming = school.models / f".incoming-{SHA}"
    (incoming / "whole").mkdir(parents=True)
    (incoming / "whole" / "record.json").write_text("{}")
    (incoming / "tiny.gguf").write_bytes(b"half")
    half = school.models / SHA
    half.mkdir()
    (half / "tiny.gguf").write_bytes(b"no record beside it")
    record = school.pull(manifest(source))
    assert storage.path_of(school.models, record).read_bytes() == GGUF
    assert folders(school) == [SHA]


def test_a_damaged_model_is_replaced(school: School):
    wanted = manifest(school.wheel("tiny-model", GGUF))
    path = storage.path_of(school.models, school.pull(wanted))
    path.write_bytes(b"damaged")
    school.pull(wanted)
    assert path.read_bytes() == GGUF


def test_a_corrupted_wheel_is_never_opened(school: School):
    source = school.wheel("tiny-model", GGUF)
    school.server.resources[f"/files/{source.filename}"].fail(Corrupt(50), times=2)
    with pytest.raises(TrustError):
        school.pull(manifest(source))
    assert storage.installed(school.models) == []
    assert list(school.downloads.rglob("*.whl")) == []


def test_space_is_checked_first_for_model_and_wheel(
    school: School, monkeypatch: pytest.MonkeyPatch
):
    source = school.wheel("tiny-model", GGUF)
    needed = len(GGUF) + source.size
    wanted = manifest(source)
    assert storage.bytes_on_disk(wanted) == needed
    assert storage.bytes_to_fetch(wanted) == source.size
    monkeypatch.setattr(files, "free_bytes", lambda path: needed - 5000)
    with pytest.raises(SpaceError, match=r"5\.0 kB are missing"):
        school.pull(wanted)
    assert school.server.log == []
    assert storage.installed(school.models) == []
    monkeypatch.setattr(files, "free_bytes", lambda path: needed)
    school.pull(wanted)


def test_pulls_at_the_same_time_download_once(school: School):
    source = school.wheel("tiny-model", GGUF)
    results: list[ModelRecord] = []
    threads = [
        threading.Thread(target=lambda: results.append(school.pull(manifest(source))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len(set(results)) == 1
    assert school.downloads_of(source) == 1


def test_the_embedded_default_comes_from_its_wheel():
    model = resolve_model(load_catalog(), "smollm2")
    assert model == resolve_model(load_catalog(), "smollm2:135m")
    assert model.default
    assert model.license.id == "Apache-2.0"
    (source,) = model.file.sources
    assert isinstance(source, WheelSource)
    assert source.member.endswith(model.file.filename)
    assert storage.bytes_to_fetch(model) == 92_871_040
    assert storage.bytes_on_disk(model) == 98_362_432 + 92_871_040
