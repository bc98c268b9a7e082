"""`models.import-ollama`, `models.export-ollama` and `models.quantize` as typed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from smolpc.schema.ollama_report import OllamaListReport
from tests.cli.test_commands import host, run
from tests.models.ollama.store import OllamaStore

__all__ = ["host"]  # a fixture: commands see a recorded machine


@pytest.fixture
def ollama(tmp_path: Path) -> OllamaStore:
    store = OllamaStore(tmp_path / "models")
    store.add("tiny", "1b")
    store.write("cloud", "latest", [])
    store.path("broken", "latest").write_text("{")
    return store


def test_the_list_for_programs(ollama: OllamaStore, capsys: pytest.CaptureFixture[str]):
    assert run("models.import-ollama", "--list", "--store", str(ollama.root), "--json") == 0
    report = msgspec.json.decode(capsys.readouterr().out, type=OllamaListReport)
    assert [(row.name, row.state) for row in report.models] == [
        ("broken:latest", "damaged"),
        ("cloud:latest", "unusable"),
        ("tiny:1b", "importable"),
    ]


def test_the_list_for_people(ollama: OllamaStore, capsys: pytest.CaptureFixture[str]):
    assert run("models.import-ollama", "--list", "--store", str(ollama.root)) == 0
    out = capsys.readouterr().out
    assert "importable" in out
    assert "runs on Ollama's servers" in out
    assert "is not a manifest" in out


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (("models.import-ollama",), 2, "say what to import"),
        (("models.import-ollama", "tiny:1b", "--all"), 2, "say what to import"),
        (("models.import-ollama", "--list"), 3, "Ollama has no models on this machine"),
        (("models.import-ollama", "--list", "--store", "/nowhere"), 2, "not a model store"),
        (("models.import-ollama", "tny:1b", "--store", "{}"), 2, "did you mean 'tiny:1b'"),
        (("models.import-ollama", "tiny:1b", "--store", "{}"), 3, "nothing is set up yet"),
        (("models.export-ollama",), 2, "name a model"),
        (("models.export-ollama", "tiny"), 2, "tiny"),
        (("models.quantize",), 2, "name a model"),
        (("models.quantize", "tiny"), 2, "tiny"),
    ],
)
def test_errors_say_what_to_do(
    ollama: OllamaStore,
    capsys: pytest.CaptureFixture[str],
    argv: tuple[str, ...],
    code: int,
    says: str,
):
    assert run(*(word.format(ollama.root) for word in argv)) == code
    said = capsys.readouterr().err
    assert says in said
    assert "next: " in said
