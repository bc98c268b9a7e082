"""`models.list`, `show`, `add`, `forget`, `unpin` as a user sees them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from smolpc import settings
from smolpc.models import pins, storage
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.registry_report import AddReport, ForgetReport, ModelReport
from smolpc.schema.report import ModelsReport
from smolpc.store import Store
from tests.cli.test_commands import run
from tests.models.manifests import manifest
from tests.models.test_housekeeping import put
from tests.models.test_own import MODEL, SHA

Out = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Mein Modell.gguf"
    path.write_bytes(MODEL)
    return path


def listed(capsys: Out, *options: str) -> ModelsReport:
    assert run("models.list", *options, "--json") == 0
    return msgspec.json.decode(capsys.readouterr().out, type=ModelsReport)


def test_the_list_is_in_a_useful_order(capsys: Out):
    rows = listed(capsys, "--all").models
    qwen = [row.short for row in rows if row.family == "qwen2.5-coder"]
    assert qwen[:3] == ["qwen2.5-coder:0.5b", "qwen2.5-coder:0.5b-q4_0", "qwen2.5-coder:0.5b-q8_0"]
    assert qwen[-1] == "qwen2.5-coder:32b"
    usual = listed(capsys).models
    assert 20 < len(usual) < len(rows)
    assert {row.name for row in usual} < {row.name for row in rows}
    assert all(row.usual for row in usual)
    code = listed(capsys, "--purpose", "code").models
    assert {row.family for row in code} == {"qwen2.5-coder", "qwen3-coder"}
    assert listed(capsys, "--purpose", "CODE").models == code
    states = {row.short: row.state for row in rows}
    assert states["qwen2.5-coder:7b"] == "confirmed"
    assert states["qwen2.5-coder:7b-q8_0"] == "unconfirmed"


def test_a_teacher_reads_the_list(capsys: Out):
    assert run("models.list") == 0
    said = capsys.readouterr().out
    (line,) = (line for line in said.splitlines() if " qwen2.5-coder:7b " in line)
    assert line.split() == [
        "qwen2.5-coder:7b",
        "4.7",
        "GB",
        "7.6B",
        "32k",
        "Apache-2.0",
        "confirmed",
    ]
    assert "more with --all" in said
    assert run("models.list", "--all") == 0
    said += capsys.readouterr().out
    assert all(len(line) <= 80 for line in said.splitlines())
    assert " Gemma " in said


def stored(root: Path, name: str, data: bytes) -> ModelRecord:
    store = Store(root)
    store.prepare()
    return put(store, name, data)


def table(capsys: Out) -> dict[str, tuple[bool, str]]:
    """Of each listed model: whether it is marked as here, and the end of its line."""
    assert run("models.list") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if len(line.split()) > 5]
    return {line[3:].split()[0]: (line.startswith("✓"), line.rpartition("  ")[2]) for line in lines}


def test_everything_in_the_store_is_listed(capsys: Out):
    root = settings.load()[0].store_path
    record = stored(root, "mitgebracht-1a2b3c4d", b"GGUF of a path")
    row = listed(capsys).models[-1]
    assert (row.name, row.state, row.installed, row.size) == (record.name, "only here", True, 14)
    assert table(capsys)[record.name] == (True, "only here")
    assert run("models.show", record.name) == 0
    said = capsys.readouterr().out
    assert f"sha256: {record.sha256}" in said
    assert "state:   only here" in said
    assert f"on disk: {storage.path_of(Store(root).models, record)}" in said
    storage.mark_damaged(Store(root).models, record)
    assert table(capsys)[record.name] == (False, "damaged")


def test_a_damaged_model_of_the_registry_is_not_here(file: Path, capsys: Out):
    root = settings.load()[0].store_path
    assert run("models.add", str(file), "--name", "unseres") == 0
    record = stored(root, "unseres", MODEL)
    assert table(capsys)["unseres"] == (True, "own")
    storage.mark_damaged(Store(root).models, record)
    assert table(capsys)["unseres"] == (False, "damaged")
    assert len([row for row in listed(capsys).models if row.name == "unseres"]) == 1
    assert run("models.show", "unseres") == 0
    assert "state:   damaged" in capsys.readouterr().out


def test_a_model_of_all_users_is_marked(
    file: Path, tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SMOLPC_MACHINE_STORE", str(tmp_path / "alle"))
    assert run("models.add", str(file), "--name", "unseres") == 0
    assert table(capsys)["unseres"] == (False, "own")
    stored(tmp_path / "alle", "unseres", MODEL)
    assert table(capsys)["unseres"] == (False, "shared")
    (row,) = (row for row in listed(capsys).models if row.name == "unseres")
    assert (row.shared, row.installed, row.state) == (True, False, "own")
    stored(settings.load()[0].store_path, "unseres", MODEL)
    assert table(capsys)["unseres"] == (True, "own")


def test_show_says_everything_there_is_to_say(capsys: Out, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SMOLPC_MODEL_MIRRORS", "http://me:geheim@nas/models")
    assert run("models.show", "Qwen2.5-Coder:3B", "--json") == 0
    out = capsys.readouterr().out
    report = msgspec.json.decode(out, type=ModelReport)
    assert report.manifest.name == "qwen2.5-coder-3b-instruct-q4_k_m"
    assert report.places[0] == "http://nas/models/qwen2.5-coder-3b-instruct-q4_k_m.gguf"
    assert "not for commercial use" in report.licence_note
    assert run("models.show", "Qwen2.5-Coder:3B") == 0
    said = capsys.readouterr().out
    assert "state:   confirmed" in said
    assert "on disk: no" in said
    assert "geheim" not in out + said


def test_show_of_an_address_hides_its_secrets(capsys: Out):
    url = "https://x.example/a.gguf?sig=geheim"
    for options in ((), ("--json",)):
        assert run("models.show", url, *options) == 0
        said = capsys.readouterr()
        assert "https://x.example/a.gguf" in said.out
        assert "geheim" not in said.out + said.err


def test_a_model_is_added_listed_and_forgotten(file: Path, capsys: Out):
    assert run("models.add", str(file), "--name", "unseres", "--json") == 0
    added = msgspec.json.decode(capsys.readouterr().out, type=AddReport)
    assert Path(added.path) == settings.own_recipes() / "models" / "unseres.yaml"
    assert added.manifest.file.sha256 == SHA
    (row,) = (row for row in listed(capsys).models if row.name == "unseres")
    assert (row.state, row.installed) == ("own", False)
    assert run("models.forget", "unseres", "--json") == 0
    gone = msgspec.json.decode(capsys.readouterr().out, type=ForgetReport)
    assert gone.removed == added.path
    assert not [row for row in listed(capsys, "--all").models if row.name == "unseres"]


def test_adding_says_what_to_type_next(file: Path, capsys: Out):
    assert run("models.add", str(file)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "next: smolpc models.pull mein-modell"


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (("models.add", "/no/such.gguf"), 2, "there is no file"),
        (("models.add", "smollm2"), 2, "the registry has that model"),
        (("models.add", "nothing"), 2, "there is no model 'nothing'"),
        (("models.add",), 2, "a value is missing"),
        (("models.add", "FILE", "--name", "Mein Modell"), 2, "cannot be declared"),
        (("models.add", "FILE", "--name", "smollm2"), 2, "is already a name"),
        (("models.add", "FILE", "--sha256", "0" * 64), 5, "is not the file of that digest"),
        (("models.add", "FILE", "--purpose", "singing"), 2, "is not a purpose"),
        (("models.forget", "smollm2"), 2, "is not one of your own models"),
        (("models.list", "--purpose", "singing"), 2, "is not a purpose"),
        (("models.list", "--purpose", "COD"), 2, "did you mean 'code'?"),
        (("models.list", "--purpose", "cod"), 2, "next: smolpc models.list --purpose code"),
        (("models.add", "FILE", "--purpose", "cod"), 2, "next: smolpc --help models.add"),
        (("models.show", "smolm2"), 2, "did you mean 'smollm2'?"),
    ],
    ids=str,
)
def test_what_goes_wrong(argv: tuple[str, ...], code: int, says: str, file: Path, capsys: Out):
    assert run(*(str(file) if word == "FILE" else word for word in argv)) == code
    said = capsys.readouterr().err
    assert says in said
    assert "next: " in said


def test_a_broken_own_file_is_found_at_once(file: Path, capsys: Out):
    assert run("models.add", str(file)) == 0
    path = settings.own_recipes() / "models" / "mein-modell.yaml"
    path.write_text(path.read_text().replace("summary:", "sumary:"))
    assert run("models.list") == 2
    assert f"{path}:" in (said := capsys.readouterr().err)
    assert "did you mean 'summary'?" in said


def test_a_model_that_was_pinned_at_first_use(capsys: Out):
    store = Store(settings.load()[0].store_path)
    store.prepare()
    url = "https://x.example/a.gguf"
    assert run("models.show", url, "--json") == 0
    found = msgspec.json.decode(capsys.readouterr().out, type=ModelReport)
    pin = pins.record(store, found.manifest, SHA, 5, f"{url}?sig=geheim")
    assert run("models.show", url) == 0
    said = capsys.readouterr().out
    assert f"sha256: {SHA}" in said
    assert "nobody has pinned it" not in said
    assert f"pinned:  sha256 {SHA}," in said
    assert f"{pin.time}, from {url}\n" in said
    assert run("models.unpin", url) == run("models.unpin", url) == 0
    said = capsys.readouterr().out
    assert said.index("is forgotten") < said.index("nothing to forget, this store has no pin of it")


def test_unpin(capsys: Out):
    store = Store(settings.load()[0].store_path)
    store.prepare()
    unsure = "qwen2.5-coder-7b-instruct-q8_0"
    pins.record(store, manifest(name=unsure), manifest().sha256, 5, "somewhere")
    for name, removed in (("qwen2.5-coder:7b-q8_0", True), (unsure, False)):
        assert run("models.unpin", name, "--json") == 0
        report = msgspec.json.decode(capsys.readouterr().out, type=ForgetReport)
        assert (report.name, bool(report.removed)) == (unsure, removed)
    assert run("models.unpin", "nothing-like-it") == 2
