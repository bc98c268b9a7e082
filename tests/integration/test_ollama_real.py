"""The real model in a store of Ollama: imported, run, exported; the store stays as it is.
And quantized with the engine's own program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from smolpc.models import storage
from smolpc.schema.ollama_report import OllamaExportReport, OllamaImportReport, OllamaListReport
from smolpc.schema.quantize_report import MadeReport
from smolpc.schema.result import RunResult
from smolpc.store import Store
from tests.integration.conftest import Provisioned, Smolpc, environment
from tests.models.ollama.modelfile_parser import parse
from tests.models.ollama.store import OllamaStore

pytestmark = pytest.mark.integration

PADDING = bytes(512)  # Ollama's files are often a little longer than the official ones
PROMPT = "What is the capital of France? Answer in one word."


class Machine:
    """A store of its own with the real engine and model (hard links), and a home folder."""

    def __init__(self, root: Path, provisioned: Provisioned) -> None:
        self.store = Store(root / "store ü")
        link_tree(provisioned.store.root, self.store.root)
        self.env: Mapping[str, str] = {
            "SMOLPC_STORE": str(self.store.root),
            "XDG_CONFIG_HOME": str(root / "config"),
        }

    def installed(self) -> list[str]:
        return [record.name for record in storage.installed(self.store.models)]

    def leftovers(self) -> list[str]:
        return [path.name for path in self.store.models.glob(".*")]


def link_tree(source: Path, target: Path) -> None:
    """What a setup has made; nothing that is unfinished there."""
    for path in source.rglob("*"):
        if any(part.startswith(".") for part in path.relative_to(source).parts):
            continue
        here = target / path.relative_to(source)
        if path.is_dir():
            here.mkdir(parents=True, exist_ok=True)
        elif path.parts[len(source.parts)] in ("artifacts", "models") and path.suffix != ".lock":
            here.parent.mkdir(parents=True, exist_ok=True)
            here.hardlink_to(path)
        elif path.parts[len(source.parts)] == "generations":
            here.parent.mkdir(parents=True, exist_ok=True)
            here.write_bytes(path.read_bytes())


@pytest.fixture
def machine(provisioned: Provisioned, tmp_path: Path) -> Machine:
    return Machine(tmp_path, provisioned)


@pytest.fixture
def ollama(real_model: Path, tmp_path: Path) -> OllamaStore:
    store = OllamaStore(tmp_path / "ollama" / "models")
    store.add(
        "smollm2",
        "135m-mine",
        data=real_model.read_bytes() + PADDING,
        system="You answer in one word.",
        params={"temperature": 0.1, "stop": ["<|im_end|>"]},
    )
    return store


def test_import_run_and_export(
    machine: Machine, ollama: OllamaStore, smolpc: Smolpc, tmp_path: Path
) -> None:
    before = ollama.state()
    where = ("--store", str(ollama.root), "--json")
    listed = smolpc("models.import-ollama", "--list", *where, env=machine.env)
    (row,) = msgspec.json.decode(listed.stdout, type=OllamaListReport).models
    assert (row.state, row.architecture, row.quantization) == ("importable", "llama", "Q4_1")
    done = smolpc("models.import-ollama", "smollm2:135m-mine", *where, env=machine.env)
    assert done.returncode == 0, done.stderr
    (made,) = msgspec.json.decode(done.stdout, type=OllamaImportReport).models
    assert made.state == "imported"
    assert "135 M parameters" in made.checked
    assert Path(made.path).samefile(ollama.blobs / f"sha256-{row.sha256}")
    for name in ("smollm2:135m-mine", "smollm2-135m-mine"):
        ran = smolpc(
            "run", PROMPT, "--model", name, "--temperature", "0", "--json", env=machine.env
        )
        assert ran.returncode == 0, ran.stderr
        result = msgspec.json.decode(ran.stdout, type=RunResult)
        assert "Paris" in result.text
        assert result.model_sha256 == row.sha256
    out = tmp_path / "out"
    exported = smolpc(
        *("models.export-ollama", "smollm2:135m-mine", "--out", str(out), "--json"),
        env=machine.env,
    )
    report = msgspec.json.decode(exported.stdout, type=OllamaExportReport)
    found = dict(parse(Path(report.modelfile).read_text(encoding="utf-8")))
    assert (found["from"], found["system"]) == (made.path, "You answer in one word.")
    again = smolpc("models.import-ollama", "--all", *where, env=machine.env)
    assert msgspec.json.decode(again.stdout, type=OllamaImportReport).models[0].state == "here"
    removed = smolpc("models.remove", "smollm2-135m-mine", env=machine.env)
    assert removed.returncode == 0, removed.stderr
    assert ollama.state() == before


def test_a_model_with_damaged_weights_is_refused_and_leaves_nothing(
    machine: Machine, ollama: OllamaStore, smolpc: Smolpc, real_model: Path
) -> None:
    """The digest is right: only the load test can tell."""
    data = bytearray(real_model.read_bytes())
    data[len(data) // 4 :] = b"\xff" * (len(data) - len(data) // 4)
    ollama.add("damaged", "latest", data=bytes(data))
    before, here = ollama.state(), machine.installed()
    done = smolpc(
        *("models.import-ollama", "damaged", "--store", str(ollama.root), "--json"),
        env=machine.env,
    )
    assert done.returncode == 5
    assert "not numbers" in json.loads(done.stdout)["error"]["why"]
    assert (machine.installed(), machine.leftovers()) == (here, [])
    assert ollama.state() == before


def test_quantize_registers_and_runs(machine: Machine, smolpc: Smolpc) -> None:
    done = smolpc("models.quantize", "smollm2", "--type", "q4_0", "--json", env=machine.env)
    assert done.returncode == 0, done.stderr
    made = msgspec.json.decode(done.stdout, type=MadeReport)
    assert (made.model, made.quantization) == ("smollm2-135m-instruct-q4_0", "Q4_0")
    assert made.requantized == ("Q4_1",)
    assert "quantized before (Q4_1)" in made.notes[0]
    assert made.size < 98_362_432
    assert made.parent in [record.sha256 for record in storage.installed(machine.store.models)]
    assert machine.leftovers() == []
    ran = smolpc("run", PROMPT, "--model", made.model, "--temperature", "0", env=machine.env)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()
    again = smolpc("models.quantize", made.path, "--type", "F16", "--json", env=machine.env)
    assert again.returncode == 0, again.stderr
    assert msgspec.json.decode(again.stdout, type=MadeReport).quantization == "F16"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("smollm2", "--type", "IQ2_XXS"), 2, "importance matrix"),
        (("smollm2", "--type", "Q4_1"), 2, "already"),
        (("smollm2", "--type", "Q4_M"), 2, "did you mean"),
        (("smollm2", "--type", "Q8_0", "--imatrix", "missing.dat"), 2, "missing.dat"),
        (("smollm2", "--type", "Q8_0", "--name", "smollm2"), 2, "already"),
        (("nothing-like-it",), 2, "nothing-like-it"),
    ],
)
def test_what_cannot_be_quantized(
    machine: Machine, smolpc: Smolpc, arguments: tuple[str, ...], code: int, says: str
) -> None:
    here = machine.installed()
    done = smolpc("models.quantize", *arguments, env=machine.env)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert (machine.installed(), machine.leftovers()) == (here, [])


@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_killed_while_quantizing_nothing_is_installed(
    machine: Machine, smolpc: Smolpc, name: str
) -> None:
    here = machine.installed()
    process = subprocess.Popen(
        [sys.executable, "-m", "smolpc", "models.quantize", "smollm2", "--type", "Q6_K"],
        env=environment(machine.env),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    while not list(machine.store.models.glob(".quantizing-*/result.gguf")):
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, getattr(signal, name))
    process.wait(60)
    assert machine.installed() == here
    if name == "SIGINT":
        assert machine.leftovers() == []
    done = smolpc("models.quantize", "smollm2", "--type", "Q6_K", env=machine.env)
    assert done.returncode == 0, done.stderr
