"""Which model is believed: shared folders, own files, mirrors, first use, licences."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from smolpc import files
from smolpc.errors import NetworkError, TrustError, UsageError
from smolpc.models import storage
from smolpc.schema.model import (
    Chunks,
    FileSource,
    HttpsSource,
)
from smolpc.settings import Settings
from tests.gguf.build import build
from tests.models.manifests import GGUF, SHA, manifest
from tests.models.school import School, folders, held, refused, unpinned
from tests.sim.server import Corrupt

pytest_plugins = ["tests.sim.fixtures"]


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
