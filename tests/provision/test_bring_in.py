"""Importing models of Ollama: proved before they appear, nothing left after a failure, and
Ollama's store is as it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from smolpc.console import Silent
from smolpc.errors import PrerequisiteError, TrustError, UsageError
from smolpc.models import storage
from smolpc.models.ollama import listing
from smolpc.models.ollama.listing import Entry
from smolpc.provision import bring_in, export_ollama, import_ollama
from smolpc.provision.bring_in import Importer
from smolpc.runtime import load_test, session
from smolpc.schema.artifact import TrustResult
from smolpc.schema.model import ModelManifest
from smolpc.store import Store
from tests.gguf import build as g
from tests.machines import hosts
from tests.models.manifests import manifest
from tests.models.ollama.modelfile_parser import parse
from tests.models.ollama.store import WEIGHTS, OllamaStore, model
from tests.runtime.test_trust import artifact

HOST = hosts()["cloud-xeon-icelake-debian12"]
KNOWN = ("llama", "gemma3")


@pytest.fixture
def ollama(tmp_path: Path) -> OllamaStore:
    return OllamaStore(tmp_path / "ollama" / "models")


class Setup:
    """An importer over an empty store, whose engine gives `verdict` on every model."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.verdict, self.tested, self.known = "passed", list[str](), dict[str, ModelManifest]()
        self.store = Store(root)
        self.store.prepare()

        def can_load(_: Path, __: object, path: Path, **___: object) -> TrustResult:
            assert path.read_bytes()[:4] == b"GGUF"
            self.tested.append(path.name)
            error = "" if self.verdict == "passed" else "the engine said no"
            return TrustResult(verdict=self.verdict, checks={"model": "tiny"}, error=error)

        monkeypatch.setattr(session, "current_artifact", lambda *_: (root, artifact()))
        monkeypatch.setattr(load_test, "can_load", can_load)
        self.importer = Importer(self.store, HOST, self.register, Silent())

    def register(self, made: ModelManifest) -> Path:
        self.known[made.name] = made
        return Path(made.name)

    def names(self) -> list[str]:
        return [record.name for record in storage.installed(self.store.models)]

    def folders(self) -> list[str]:
        return [path.name for path in self.store.models.iterdir() if path.is_dir()]


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    return Setup(tmp_path / "store", monkeypatch)


def entries(ollama: OllamaStore) -> list[Entry]:
    return listing.entries([ollama.root], KNOWN)


def test_a_model_is_imported_and_ollamas_store_is_as_it_was(setup: Setup, ollama: OllamaStore):
    data = ollama.add(system="Be brief.")
    before = ollama.state()
    made = import_ollama.import_one(setup.importer, entries(ollama)[0], setup.known)
    assert (made.state, made.model, made.checked) == ("imported", "tiny-1b", "tiny")
    assert Path(made.path).samefile(ollama.blob(data))
    assert setup.names() == ["tiny-1b"]
    assert list(setup.known) == ["tiny-1b"]
    again = import_ollama.import_one(setup.importer, entries(ollama)[0], setup.known)
    assert again.state == "here"
    assert len(setup.tested) == 1
    record = storage.installed(setup.store.models)[0]
    storage.remove(setup.store.models, record)
    assert ollama.state() == before


@pytest.mark.parametrize("verdict", ["failed", "inconclusive"])
def test_what_is_not_proved_is_not_installed(setup: Setup, ollama: OllamaStore, verdict: str):
    ollama.add()
    before = ollama.state()
    setup.verdict = verdict
    with pytest.raises(TrustError) as caught:
        import_ollama.import_one(setup.importer, entries(ollama)[0], setup.known)
    assert "the engine said no" in caught.value.why
    assert (setup.folders(), setup.known) == ([], {})
    assert ollama.state() == before


def test_a_blob_with_other_bytes_is_not_even_tried(setup: Setup, ollama: OllamaStore):
    data = ollama.add()
    ollama.blob(data).write_bytes(data[:-1] + b"!")
    with pytest.raises(TrustError, match="not what it should be"):
        import_ollama.import_one(setup.importer, entries(ollama)[0], setup.known)
    assert (setup.tested, setup.folders(), setup.known) == ([], [], {})


def test_what_cannot_be_registered_is_not_installed(setup: Setup, ollama: OllamaStore):
    ollama.add()

    def refuse(_: ModelManifest) -> Path:
        raise UsageError("the name is taken")

    setup.importer.register = refuse
    with pytest.raises(UsageError):
        import_ollama.import_one(setup.importer, entries(ollama)[0], setup.known)
    assert setup.folders() == []


def test_without_a_setup_nothing_can_be_proved(tmp_path: Path):
    store = Store(tmp_path)
    store.prepare()
    with pytest.raises(PrerequisiteError) as caught:
        Importer(store, HOST, lambda _: tmp_path, Silent())
    assert caught.value.next_step == "smolpc setup"


def test_what_the_engine_cannot_load_offers_the_upstream_file(setup: Setup, ollama: OllamaStore):
    vision = g.placed([*WEIGHTS, ("v.patch_embd.weight", (64, 64), g.F16)])
    ollama.add("gemma3", "1b", data=g.build([("general.architecture", "gemma3")], vision))
    official = manifest(name="gemma3-1b")
    (entry,) = entries(ollama)
    with pytest.raises(PrerequisiteError) as caught:
        import_ollama.import_one(setup.importer, entry, {"gemma3-1b": official})
    assert caught.value.next_step.startswith("smolpc models.pull gemma3-1b")
    row = import_ollama.row(entry, setup.store.models, {"gemma3-1b": official})
    assert (row.state, row.offer) == ("unusable", "gemma3-1b")
    assert "inside the file" in row.why


def test_all_goes_on_after_a_failure_and_reports_each(setup: Setup, ollama: OllamaStore):
    ollama.blob(ollama.add("a-gone", data=model(("x", 1)))).unlink()
    ollama.add("b-good")
    ollama.write("c-cloud", "latest", [])
    wrong = ollama.add("d-wrong", data=model(("x", 2)))
    ollama.blob(wrong).write_bytes(wrong[:-1] + b"!")
    ollama.add("e-good", data=model(("x", 3)))
    done = import_ollama.import_all(setup.importer, entries(ollama), setup.known)
    assert [(one.name, one.state, one.code) for one in done] == [
        ("a-gone:1b", "failed", PrerequisiteError.code),
        ("b-good:1b", "imported", 0),
        ("c-cloud:latest", "skipped", 0),
        ("d-wrong:1b", "failed", TrustError.code),
        ("e-good:1b", "imported", 0),
    ]
    assert import_ollama.worst(done) == TrustError.code
    assert import_ollama.worst(done[:3]) == PrerequisiteError.code
    assert import_ollama.worst([done[1], done[2]]) == 0
    assert sorted(setup.names()) == ["b-good-1b", "e-good-1b"]


def test_the_list_says_what_is_here(setup: Setup, ollama: OllamaStore):
    ollama.add()
    ollama.add("other", "latest")  # the same file under another name
    import_ollama.import_one(setup.importer, listing.find(entries(ollama), "tiny:1b"), setup.known)
    rows = [import_ollama.row(entry, setup.store.models, setup.known) for entry in entries(ollama)]
    assert [(row.name, row.state, row.model) for row in rows] == [
        ("other:latest", "importable", ""),
        ("tiny:1b", "here", "tiny-1b"),
    ]


def test_one_file_under_two_names_is_stored_once(setup: Setup, ollama: OllamaStore):
    data = ollama.add(system="Be brief.")
    ollama.add("pirate", "latest", system="Arr.")
    done = import_ollama.import_all(setup.importer, entries(ollama), setup.known)
    assert [one.state for one in done] == ["imported", "imported"]
    assert setup.folders() == [hashlib.sha256(data).hexdigest()]
    assert {one.defaults.system for one in setup.known.values() if one.defaults} == {
        "Be brief.",
        "Arr.",
    }


def test_names_that_look_alike_stay_two_models(setup: Setup, ollama: OllamaStore):
    one, two = ollama.add("x-1", "latest", data=model(("x", 1))), ollama.add("x", "1")
    done = import_ollama.import_all(setup.importer, entries(ollama), dict(setup.known))
    assert [made.state for made in done] == ["imported", "imported"]
    assert len({made.model for made in done}) == 2
    digests = {hashlib.sha256(data).hexdigest() for data in (one, two)}
    assert {setup.known[made.model].sha256 for made in done} == digests


def test_export_is_what_ollama_reads(setup: Setup, ollama: OllamaStore, tmp_path: Path):
    ollama.add(system="Be brief.", params={"temperature": 0.5})
    made = import_ollama.import_one(setup.importer, entries(ollama)[0], setup.known)
    out = tmp_path / "out put"
    report = export_ollama.export(setup.store, "tiny:1b", out, setup.known)
    text = Path(report.modelfile).read_text(encoding="utf-8")
    found = dict(parse(text))
    assert found["from"] == made.path
    assert (found["system"], found["temperature"]) == ("Be brief.", "0.5")
    assert report.command == f"ollama create tiny-1b -f '{out.absolute() / 'Modelfile'}'"
    export_ollama.export(setup.store, "tiny-1b", out, setup.known)  # its own file: again


def test_export_without_a_manifest_and_over_a_foreign_file(
    setup: Setup, ollama: OllamaStore, tmp_path: Path
):
    ollama.add()
    made = import_ollama.import_one(setup.importer, entries(ollama)[0], setup.known)
    report = export_ollama.export(setup.store, "tiny-1b", tmp_path / "out", {})
    assert dict(parse(Path(report.modelfile).read_text()))["from"] == made.path
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "Modelfile").write_text("FROM me\n")
    with pytest.raises(UsageError, match="there already"):
        export_ollama.export(setup.store, "tiny-1b", tmp_path / "mine", {})
    assert (tmp_path / "mine" / "Modelfile").read_text() == "FROM me\n"
    with pytest.raises(UsageError, match="tiny-2b"):
        export_ollama.export(setup.store, "tiny-2b", tmp_path / "out", {})
    with pytest.raises(UsageError, match="name a model"):
        export_ollama.export(setup.store, "", tmp_path / "out", {})


def test_ctrl_c_leaves_nothing(setup: Setup, ollama: OllamaStore, monkeypatch: pytest.MonkeyPatch):
    ollama.add()

    def interrupted(*_: object, **__: object) -> TrustResult:
        raise KeyboardInterrupt

    monkeypatch.setattr(bring_in.load_test, "can_load", interrupted)
    with pytest.raises(KeyboardInterrupt):
        import_ollama.import_all(setup.importer, entries(ollama), setup.known)
    assert (setup.folders(), setup.known) == ([], {})


def test_a_licence_that_is_not_allowed_is_not_imported(setup: Setup, ollama: OllamaStore):
    ollama.add(license="Gemma Terms of Use\n")
    setup.importer.licenses = "Apache-2.0 MIT"
    with pytest.raises(UsageError, match="LicenseRef-Gemma"):
        import_ollama.import_one(setup.importer, entries(ollama)[0], setup.known)
    assert (setup.tested, setup.folders(), setup.known) == ([], [], {})
    setup.importer.licenses = "licenseref-gemma"
    made = import_ollama.import_one(setup.importer, entries(ollama)[0], setup.known)
    assert "Gemma Terms of Use" in made.notes[-1]
