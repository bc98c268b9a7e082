"""Pulling models: verified, whole, once, from wheels, the web or a folder."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from smolpc import files, pypi
from smolpc.catalog import load_catalog, resolve_model
from smolpc.console import Silent
from smolpc.errors import NetworkError, PrerequisiteError, SpaceError, TrustError, UsageError
from smolpc.models import download, places, storage
from smolpc.models.access import Access
from smolpc.net import NetSettings
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.model import (
    Chunks,
    FileSource,
    HttpsSource,
    ModelManifest,
    ModelSource,
    WheelPart,
    WheelPartsSource,
    WheelSource,
)
from smolpc.settings import Settings
from smolpc.store import Store
from tests.gguf.build import build
from tests.models.manifests import GGUF, SHA, manifest
from tests.sim.server import Corrupt, SimServer, Status, Truncate

pytest_plugins = ["tests.sim.fixtures"]


class School:
    """A store on one side, a package index with wheels on the other."""

    def __init__(self, root: Path, server: SimServer, net: NetSettings) -> None:
        self.server, self.root = server, root
        self.store = Store(root / "Modelle ä")
        self.models, self.downloads = self.store.models, self.store.downloads
        self.settings = Settings(store=str(self.store.root), machine_store=str(self.store.root))
        self.index = pypi.Settings(indexes=(server.url("/simple"),), net=net)

    def wheel(self, project: str, data: bytes, member: str = "pkg/model.gguf") -> WheelSource:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("pkg/__init__.py", "raise SystemExit('never run')")
            made.writestr(member, data)
        body = packed.getvalue()
        filename = f"{project}-1.0-py3-none-any.whl"
        self.server.add(f"/files/{filename}", body)
        self.server.index(project, [f"/files/{filename}"])
        return WheelSource(
            project=project,
            version="1.0",
            filename=filename,
            sha256=hashlib.sha256(body).hexdigest(),
            size=len(body),
            member=member,
        )

    def parts(self, *pieces: bytes) -> WheelPartsSource:
        wheels = [self.wheel(f"part{number}", piece) for number, piece in enumerate(pieces)]
        return WheelPartsSource(
            parts=tuple(
                WheelPart(
                    project=one.project,
                    version=one.version,
                    filename=one.filename,
                    sha256=one.sha256,
                    size=one.size,
                    member=one.member,
                )
                for one in wheels
            )
        )

    def access(self) -> Access:
        return Access(index=self.index, mirrors=places.mirrors(self.settings, {}))

    def pull(
        self, wanted: ModelManifest, reporter: Silent | None = None, *, allow_unpinned: bool = False
    ) -> ModelRecord:
        return download.pull(
            wanted,
            self.store,
            self.settings,
            reporter=reporter or Silent(),
            reach=self.access,
            allow_unpinned=allow_unpinned,
        )

    def user(self, name: str, **settings: str) -> School:
        """Another user of this PC, with a store of their own."""
        made = School(self.root / name, self.server, self.index.net)
        made.settings = Settings(store=str(made.store.root), **settings)  # type: ignore[arg-type]
        return made

    def downloads_of(self, source: WheelSource) -> int:
        return len(self.server.requests(f"/files/{source.filename}"))


@pytest.fixture
def school(tmp_path: Path, sim_server: SimServer, quick: NetSettings) -> School:
    return School(tmp_path, sim_server, quick)


def folders(school: School) -> list[str]:
    return [path.name for path in school.models.iterdir() if path.is_dir()]


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


def held(*folders: Path) -> int:
    """Bytes of model files on the disk, each file once however many names it has."""
    found = {
        (state.st_dev, state.st_ino): state.st_size
        for folder in folders
        for path in folder.rglob("*.gguf")
        for state in [path.stat()]
    }
    return sum(found.values())


def test_two_users_share_one_copy(school: School, tmp_path: Path) -> None:
    source = school.wheel("tiny-model", GGUF)
    machine = tmp_path / "für alle"
    ada = school.user("ada", machine_store=str(machine))
    bob = school.user("bob", machine_store=str(machine))
    first, second = ada.pull(manifest(source)), bob.pull(manifest(source))
    assert first.sha256 == second.sha256 == SHA
    for user in (ada, bob):
        (record,) = storage.installed(user.models)
        assert storage.path_of(user.models, record).read_bytes() == GGUF
        assert storage.as_recorded(user.models, record)
    assert school.downloads_of(source) == 1
    assert held(ada.models, bob.models, machine) == len(GGUF)


def test_a_shared_folder_that_may_only_be_read(school: School, tmp_path: Path) -> None:
    source = school.wheel("tiny-model", GGUF)
    machine = tmp_path / "für alle"
    teacher = school.user("teacher", machine_store=str(machine))
    teacher.pull(manifest(source))
    other = school.wheel("other-model", GGUF[::-1])
    before = files.tree_digest(machine)
    pupil = school.user("pupil", machine_store=str(machine))
    with read_only(machine / "models"):
        pupil.pull(manifest(source))
        pupil.pull(manifest(other, name="other", data=GGUF[::-1]))
    assert school.downloads_of(source) == 1
    assert held(pupil.models) == 2 * len(GGUF)
    assert files.tree_digest(machine) == before


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """`folder` as a user without rights sees it, whoever runs the test."""
    real = os.access

    def access(path: str | Path, mode: int, **more: bool) -> bool:
        inside = Path(path).is_relative_to(folder) or Path(path) == folder
        return real(path, mode, **more) and not (inside and mode & os.W_OK)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "access", access)
        yield


def test_damage_in_the_shared_folder_is_not_taken_over(school: School, tmp_path: Path) -> None:
    source = school.wheel("tiny-model", GGUF)
    machine = tmp_path / "für alle"
    school.user("ada", machine_store=str(machine)).pull(manifest(source))
    shared = machine / "models" / SHA / "tiny.gguf"
    shared.unlink()
    shared.write_bytes(b"!" + GGUF[1:])
    bob = school.user("bob", machine_store=str(machine))
    record = bob.pull(manifest(source))
    assert storage.path_of(bob.models, record).read_bytes() == GGUF
    assert school.downloads_of(source) == 2


@pytest.mark.parametrize("writable", [True, False])
def test_a_silent_change_in_the_shared_folder_is_not_taken_over(
    school: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    """The record there says that the file is right: only its bytes do not."""
    source = school.wheel("tiny-model", GGUF)
    machine = tmp_path / "für alle"
    school.user("ada", machine_store=str(machine)).pull(manifest(source))
    shared = machine / "models" / SHA
    (shared / "tiny.gguf").write_bytes(b"!" + GGUF[1:])
    record = storage.find(machine / "models", SHA)
    assert record is not None
    state = (shared / "tiny.gguf").stat()
    lying = msgspec.structs.replace(record, mtime_ns=state.st_mtime_ns, ctime_ns=state.st_ctime_ns)
    files.write_atomic(shared / storage.RECORD, msgspec.json.encode(lying))
    if not writable:
        monkeypatch.setattr(storage, "mark_damaged", refused)
    bob = school.user("bob", machine_store=str(machine))
    got = bob.pull(manifest(source))
    path = storage.path_of(bob.models, got)
    assert path.read_bytes() == GGUF
    assert storage.as_recorded(bob.models, got)
    assert path.is_symlink() == writable  # repaired for all, or at least right here


def refused(*_: object) -> None:
    raise PrerequisiteError("not allowed")


def test_what_another_user_began_there_is_left_alone(
    school: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = school.wheel("tiny-model", GGUF)
    machine = tmp_path / "für alle"
    begun = machine / "models" / f".incoming-{SHA}"
    begun.mkdir(parents=True)
    (begun / "tiny.gguf").write_bytes(b"planted")
    monkeypatch.setattr(files, "is_mine", lambda path: path != begun)
    bob = school.user("bob", machine_store=str(machine))
    path = storage.path_of(bob.models, bob.pull(manifest(source)))
    assert not path.is_symlink()
    assert path.read_bytes() == GGUF
    assert (begun / "tiny.gguf").read_bytes() == b"planted"


def test_a_model_without_a_digest_never_passes_through_the_shared_folder(
    school: School, tmp_path: Path
) -> None:
    model = build([("general.architecture", "llama")])
    school.server.add("/new.gguf", model)
    machine = tmp_path / "für alle"
    wanted = unpinned(HttpsSource(url=school.server.url("/new.gguf")))
    planted = machine / "models" / ".incoming-new"
    planted.mkdir(parents=True)
    (planted / "new.gguf").write_bytes(build([("general.architecture", "evil")]))
    bob = school.user("bob", machine_store=str(machine))
    record = bob.pull(wanted, allow_unpinned=True)
    assert storage.path_of(bob.models, record).read_bytes() == model


def test_killed_between_pin_and_publication(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was trusted first stays what is trusted."""
    first, second = (build([("general.architecture", name)]) for name in ("llama", "qwen2"))
    school.server.add("/new.gguf", first)
    wanted = unpinned(HttpsSource(url=school.server.url("/new.gguf")))

    def killed(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(files, "publish", killed)
        with pytest.raises(RuntimeError):
            school.pull(wanted, allow_unpinned=True)
    school.server.add("/new.gguf", second)
    with pytest.raises(TrustError):
        school.pull(wanted, allow_unpinned=True)
    assert storage.installed(school.models) == []
    school.server.add("/new.gguf", first)
    assert school.pull(wanted).sha256 == hashlib.sha256(first).hexdigest()


def test_a_file_of_this_machine_is_linked_not_copied(school: School, tmp_path: Path) -> None:
    own = tmp_path / "my model.gguf"
    own.write_bytes(GGUF)
    record = school.pull(manifest(FileSource(path=str(own))))
    assert storage.path_of(school.models, record).samefile(own)
    storage.remove(school.models, record)
    assert own.read_bytes() == GGUF


def test_mirrors_are_asked_first_and_change_nothing_of_the_trust(school: School) -> None:
    source = HttpsSource(url=school.server.url("/origin/tiny.gguf"))
    school.server.add("/origin/tiny.gguf", GGUF)
    school.server.add("/mirror/tiny.gguf", GGUF)
    school.settings = Settings(
        store=str(school.store.root), model_mirrors=school.server.url("/mirror")
    )
    school.pull(manifest(source))
    assert school.server.requests("/origin/tiny.gguf") == []
    wrong = bytes(len(GGUF))
    school.server.add("/mirror/other.gguf", wrong)
    school.server.add("/origin/other.gguf", GGUF[::-1])
    source = HttpsSource(url=school.server.url("/origin/other.gguf"))
    record = school.pull(manifest(source, name="other", data=GGUF[::-1]))
    assert storage.path_of(school.models, record).read_bytes() == GGUF[::-1]


def test_a_wrong_chunk_is_found_and_fetched_alone(school: School) -> None:
    data = os.urandom(5 * 65536 + 100)
    pieces = [data[start : start + 65536] for start in range(0, len(data), 65536)]
    known = manifest(HttpsSource(url=school.server.url("/m.gguf")), data=data)
    chunks = Chunks(size=65536, sha256=tuple(hashlib.sha256(piece).hexdigest() for piece in pieces))
    file = msgspec.structs.replace(known.file, chunks=chunks)
    school.server.add("/m.gguf", data).fail(Corrupt(3 * 65536 + 5))
    record = school.pull(msgspec.structs.replace(known, file=file))
    assert storage.path_of(school.models, record).read_bytes() == data
    ranges = [request.headers.get("range", "") for request in school.server.requests("/m.gguf")]
    assert f"bytes={3 * 65536}-{4 * 65536 - 1}" in ranges


def unpinned(source: ModelSource, name: str = "new") -> ModelManifest:
    known = manifest(source, name=name)
    file = msgspec.structs.replace(
        known.file, sha256=None, size=0, unverified="nobody has pinned it"
    )
    return msgspec.structs.replace(known, file=file)


def test_a_model_that_nobody_pinned_is_trusted_once_and_then_held_to_it(school: School) -> None:
    model = build([("general.architecture", "llama")])
    school.server.add("/new.gguf", model)
    wanted = unpinned(HttpsSource(url=school.server.url("/new.gguf")))
    with pytest.raises(UsageError, match="not pinned") as caught:
        school.pull(wanted)
    assert "--allow-unpinned" in caught.value.next_step
    record = school.pull(wanted, allow_unpinned=True)
    assert record.sha256 == hashlib.sha256(model).hexdigest()
    assert storage.installed(school.models) == [record]
    storage.remove(school.models, record)
    assert school.pull(wanted).sha256 == record.sha256  # the pin is enough now
    storage.remove(school.models, record)
    school.server.add("/new.gguf", build([("general.architecture", "qwen2")]))
    for allow in (False, True):
        with pytest.raises(TrustError):
            school.pull(wanted, allow_unpinned=allow)
    assert storage.installed(school.models) == []


def test_the_same_bytes_under_another_name_keep_their_first_name(school: School) -> None:
    model = build([("general.architecture", "llama")])
    school.server.add("/one.gguf", model)
    school.server.add("/two.gguf", model)
    first = school.pull(manifest(HttpsSource(url=school.server.url("/one.gguf")), data=model))
    second = unpinned(HttpsSource(url=school.server.url("/two.gguf")), name="second")
    assert school.pull(second, allow_unpinned=True) == first
    assert storage.installed(school.models) == [first]
    assert storage.path_of(school.models, first).read_bytes() == model
    assert school.pull(second) == first  # its pin leads to the same file
    assert folders(school) == [first.sha256]


def test_an_own_file_needs_no_word_and_is_linked(school: School, tmp_path: Path) -> None:
    own = tmp_path / "Mein Modell ü.gguf"
    own.write_bytes(build([("general.architecture", "llama")]))
    wanted = unpinned(FileSource(path=str(own)), name="mein")
    record = school.pull(wanted)
    assert storage.path_of(school.models, record).samefile(own)
    other = tmp_path / "no model.gguf"
    other.write_bytes(b"something else")
    with pytest.raises(TrustError):
        school.pull(unpinned(FileSource(path=str(other)), name="other"))


def test_a_login_page_is_never_pinned(school: School) -> None:
    page = b"<html>please log in</html>"
    wanted = unpinned(HttpsSource(url=school.server.url("/new.gguf")))
    for kind, error in (("text/html", NetworkError), ("application/octet-stream", TrustError)):
        school.server.add("/new.gguf", page, content_type=kind)
        with pytest.raises(error):
            school.pull(wanted, allow_unpinned=True)
    school.server.add("/new.gguf", build([("general.architecture", "llama")]))
    school.pull(wanted, allow_unpinned=True)


def test_a_licence_that_is_not_allowed_is_not_pulled(school: School) -> None:
    source = school.wheel("tiny-model", GGUF)
    school.settings = Settings(store=str(school.store.root), licenses="MIT")
    with pytest.raises(UsageError, match="licence"):
        school.pull(manifest(source))
    assert school.server.log == []


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
