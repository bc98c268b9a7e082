"""`chat`, `run` and `backends` as a user meets them who has Ollama, but no setup of smolpc."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import msgspec
import pytest

from smolpc import detect
from smolpc.schema.backends import BackendsReport
from smolpc.schema.result import RunResult
from tests.cli.test_commands import run
from tests.machines import hosts
from tests.sim.ollama import SimOllama

pytest_plugins = ["tests.sim.fixtures", "tests.sim.fixtures_models"]

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, sim_ollama: SimOllama) -> None:
    recorded = hosts()["cloud-xeon-icelake-debian12"]
    monkeypatch.setattr(detect, "host", lambda **_: recorded)


def type_in(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))


def test_run_falls_back_and_says_so(sim_ollama: SimOllama, capsys: Capture) -> None:
    assert run("run", "hello", "--json") == 0
    said = capsys.readouterr()
    result = msgspec.json.decode(said.out, type=RunResult)
    assert (result.provider, result.text) == ("ollama", "You said: hello ")
    assert [note.split(":")[0] for note in result.notes[:2]] == [
        "llamacpp did not answer",
        "llama-server did not answer",
    ]
    assert run("run", "hello", "--temperature", "0.3", "--top-k", "5", "--stop", "x") == 0
    said = capsys.readouterr()
    assert said.out.startswith("You said: hello")
    assert "ollama answers" in said.err
    options = sim_ollama.asked("/api/chat")[-1]["options"]
    assert (options["temperature"], options["top_k"], options["stop"]) == (0.3, 5, ["x"])


def test_a_model_that_only_ollama_has(sim_ollama: SimOllama, capsys: Capture) -> None:
    assert run("run", "hello", "--model", "smollm2:135m", "--backend", "ollama", "--json") == 0
    assert msgspec.json.decode(capsys.readouterr().out, type=RunResult).notes == ()
    assert run("run", "hello", "--model", "nosuch", "--backend", "ollama") == 2
    assert "smolpc backends.pull-ollama nosuch" in capsys.readouterr().err


def test_a_backend_for_one_model_in_the_settings(
    sim_ollama: SimOllama, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("models:\n  smollm2:135m:\n    backend: ollama\n")
    monkeypatch.setenv("SMOLPC_CONFIG", str(config))
    assert run("run", "hello", "--model", "smollm2-135m", "--json") == 0
    assert msgspec.json.decode(capsys.readouterr().out, type=RunResult).notes == ()


def test_chat_from_a_pipe(
    sim_ollama: SimOllama, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    saved = tmp_path / "c.json"
    type_in(monkeypatch, "one", "two", f"/save {saved}")
    assert run("chat", "--backend", "ollama", "--system", "Brief.", "--seed", "7") == 0
    assert "You said: one \nYou said: two \n" in capsys.readouterr().out
    assert len(json.loads(saved.read_text())["messages"]) == 5
    assert sim_ollama.asked("/api/chat")[0]["options"]["seed"] == 7
    type_in(monkeypatch, "three")
    assert run("chat", "--backend", "ollama", "--load", str(saved)) == 0
    asked = sim_ollama.asked("/api/chat")[-1]["messages"]
    said = [message["content"].strip() for message in asked[::2]]
    assert said == ["Brief.", "You said: one", "You said: two"]


def test_a_pipe_whose_last_question_fails_is_an_error(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, "hello")
    assert run("chat", "nosuch", "--backend", "ollama") == 2
    assert "no model nosuch" in capsys.readouterr().err


def test_backends_are_listed_with_versions_and_reasons(
    sim_ollama: SimOllama, capsys: Capture
) -> None:
    assert run("backends.list", "--json") == 0
    report = msgspec.json.decode(capsys.readouterr().out, type=BackendsReport)
    own, server, ollama = report.backends
    assert [one.rank for one in report.backends] == [1, 2, 3]
    assert own.problem is not None
    assert own.problem.next == "smolpc setup"
    assert server.problem is not None
    assert (ollama.version, ollama.address) == (sim_ollama.version, sim_ollama.url)
    assert [model.name for model in ollama.models] == ["smollm2:135m"]
    assert run("backends.list") == 0
    assert "✓ ollama: 0.18.0" in capsys.readouterr().out


def test_the_order_is_that_of_the_settings(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOLPC_BACKEND", "ollama llama.cpp")
    assert run("backends.list", "--json") == 0
    report = msgspec.json.decode(capsys.readouterr().out, type=BackendsReport)
    assert [(one.name, one.rank) for one in report.backends] == [
        ("ollama", 1),
        ("llamacpp", 2),
        ("llama-server", 0),
    ]


def test_a_wrong_address_of_ollama_concerns_ollama_alone(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "tcp://me:s3cr3t@host:abc")
    assert run("run", "hello", "--backend", "llamacpp") == 3
    assert "OLLAMA_HOST" not in capsys.readouterr().err
    assert run("run", "hello", "--backend", "ollama") == 2
    said = capsys.readouterr().err
    assert "OLLAMA_HOST is '***@host:abc'" in said and "s3cr3t" not in said
    assert run("backends.list") == 0
    said = capsys.readouterr().out
    assert "OLLAMA_HOST" in said and "s3cr3t" not in said


def test_pull(sim_ollama: SimOllama, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("backends.pull-ollama", "llama3.2:1b") == 0
    assert "llama3.2:1b" in sim_ollama.models
    assert run("backends.pull-ollama", "nosuch") == 2
    monkeypatch.setenv("SMOLPC_OFFLINE", "1")
    assert run("backends.pull-ollama", "llama3.2:1b") == 4
    assert "offline" in capsys.readouterr().err


def test_the_command_line_is_stronger_than_a_saved_conversation(
    sim_ollama: SimOllama, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    saved = tmp_path / "c.json"
    old = [{"role": "system", "content": "Old."}, {"role": "user", "content": "one"}]
    saved.write_text(json.dumps({"model": "nosuch", "messages": old}))
    type_in(monkeypatch, "two")
    argv = ("chat", "--backend", "ollama", "--load", str(saved))
    assert run(*argv, "--model", "smollm2:135m", "--system", "New.") == 0
    assert sim_ollama.asked("/api/chat")[-1]["messages"][0]["content"] == "New."


def test_what_is_no_text_in_utf8_is_asked_with_question_marks(
    sim_ollama: SimOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("run", "caf\udce9", "--backend", "ollama") == 0
    assert sim_ollama.asked("/api/chat")[-1]["messages"][-1]["content"] == "caf?"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9\n"), encoding="utf-8"))
    assert run("chat", "--backend", "ollama") == 0
    assert (
        sim_ollama.asked("/api/chat")[-1]["messages"][-1]["content"]
        == "caf\N{REPLACEMENT CHARACTER}"
    )


@pytest.mark.parametrize("name", ["You explain code. " * 40, "~nobody-of-this-name/x", "."])
def test_a_system_prompt_that_is_no_file_and_no_name(name: str, capsys: Capture) -> None:
    assert run("run", "hello", "--backend", "ollama", "--system", name) == 2
    said = capsys.readouterr().err
    assert "no system prompt" in said
    assert "next: write the prompt into a file" in said
    assert max(map(len, said.splitlines())) < 200
