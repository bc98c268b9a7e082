"""The real engine among the backends: the safety net under it, and a chat with it.

Ollama is a simulator of its API, except where it is installed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from smolpc.schema.backends import BackendsReport, BackendState
from smolpc.schema.result import RunResult
from tests.integration.conftest import ROOT, Provisioned, Smolpc, environment
from tests.integration.test_ollama_real import link_tree
from tests.sim.ollama import SimModel, SimOllama

pytestmark = pytest.mark.integration

PROMPT = "What is the capital of France? Answer in one word."


@pytest.fixture
def ollama(provisioned: Provisioned) -> Iterator[SimOllama]:
    """It has the model of the store under its own name for it."""
    assert provisioned.report.generation is not None
    digest = provisioned.report.generation.model
    with SimOllama(models={"smollm2:135m": SimModel(sha256=digest)}) as server:
        yield server


@pytest.fixture
def env(provisioned: Provisioned, ollama: SimOllama, tmp_path: Path) -> dict[str, str]:
    """A store of its own (hard links), and a school's proxy that nobody may ask."""
    store = tmp_path / "store ü"
    link_tree(provisioned.store.root, store)
    return {
        "SMOLPC_STORE": str(store),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "OLLAMA_HOST": ollama.url,
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }


def states(listed: subprocess.CompletedProcess[str]) -> dict[str, BackendState]:
    report = msgspec.json.decode(listed.stdout, type=BackendsReport)
    return {one.name: one for one in report.backends}


def flip(library: Path) -> None:
    data = bytearray(library.read_bytes())
    data[len(data) // 2] ^= 1
    library.unlink()  # it is a hard link
    library.write_bytes(bytes(data))


def cut(library: Path) -> None:
    data = library.read_bytes()[:1000]
    library.unlink()
    library.write_bytes(data)


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink], ids=["flipped", "cut", "missing"])
def test_a_broken_engine_falls_back_to_ollama_and_says_so(
    env: dict[str, str], ollama: SimOllama, smolpc: Smolpc, damage: Callable[[Path], None]
) -> None:
    libraries = (Path(env["SMOLPC_STORE"]) / "artifacts").glob("*/*/*llama.*")
    damage(next(one for one in libraries if one.is_file()))
    done = smolpc("run", "hello there", "--json", env=env)
    assert done.returncode == 0, done.stderr
    result = msgspec.json.decode(done.stdout, type=RunResult)
    assert (result.provider, result.text) == ("ollama", "You said: hello there ")
    assert result.model == "smollm2:135m"
    assert any(note.startswith("llamacpp did not answer: ") for note in result.notes)
    shown = smolpc("run", "hello there", env=env)
    assert shown.stdout.strip() == "You said: hello there"
    assert "llamacpp did not answer" in shown.stderr
    assert "ollama answers" in shown.stderr
    alone = smolpc("run", "hello", "--backend", "llamacpp", env=env)
    assert alone.returncode == 5
    listed = smolpc("backends.list", "--json", env=env)
    found = states(listed)
    assert found["llamacpp"].problem is not None
    assert found["ollama"].problem is None
    assert found["ollama"].version == ollama.version


def test_nothing_set_up_at_all_still_answers(
    env: dict[str, str], smolpc: Smolpc, tmp_path: Path
) -> None:
    done = smolpc("run", "hi", "--json", env=env | {"SMOLPC_STORE": str(tmp_path / "none")})
    result = msgspec.json.decode(done.stdout, type=RunResult)
    assert result.provider == "ollama"
    assert any("nothing is set up" in note for note in result.notes)
    assert any("newest" in note for note in result.notes)


def test_what_the_user_did_wrong_does_not_fall_back(
    env: dict[str, str], ollama: SimOllama, smolpc: Smolpc
) -> None:
    done = smolpc("run", "word " * 600, "--context", "256", env=env)
    assert done.returncode == 2
    assert "the context holds 256" in done.stderr
    assert ollama.log == []


def test_llama_server_gives_the_same_text_and_leaves_nothing_behind(
    env: dict[str, str], smolpc: Smolpc
) -> None:
    asked = ("run", PROMPT, "--temperature", "0", "--max-tokens", "12", "--json")
    results = []
    for backend in ("llamacpp", "llama-server"):
        done = smolpc(*asked, "--backend", backend, env=env)
        assert done.returncode == 0, done.stderr
        results.append(msgspec.json.decode(done.stdout, type=RunResult))
    own, served = results
    assert (own.provider, served.provider) == ("llamacpp", "llama-server")
    assert served.text == own.text
    assert served.model_sha256 == own.model_sha256
    assert (served.prompt_tokens, served.stop) == (own.prompt_tokens, own.stop)
    store = Path(env["SMOLPC_STORE"])
    running = [one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])]
    assert not [words for words in running if any(str(store) in word for word in words)]


def talk(lines: list[str], env: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "smolpc", "chat", "--temperature", "0", *options],
        input="\n".join(lines),
        env=environment(env),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )


def test_one_conversation_with_both(
    env: dict[str, str], ollama: SimOllama, tmp_path: Path, smolpc: Smolpc
) -> None:
    saved = tmp_path / "Gespräch 1.json"
    lines = [
        *(PROMPT, "/backend ollama", "And of Spain?", "/backend llamacpp"),
        *("And of Italy?", "/stats", f"/save {saved}"),
    ]
    done = talk(lines, env, "--max-tokens", "12")
    assert done.returncode == 0, done.stderr
    assert "Paris" in done.stdout
    assert "You said: And of Spain?" in done.stdout
    (asked,) = ollama.asked("/api/chat")
    assert [message["role"] for message in asked["messages"]] == ["user", "assistant", "user"]
    messages = json.loads(saved.read_text(encoding="utf-8"))["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"] * 3
    again = talk(["/retry"], env, "--load", str(saved), "--backend", "ollama")
    assert "You said: And of Italy?" in again.stdout
    assert not list((tmp_path / "state").rglob("*"))  # a pipe leaves no history


def test_both_answer_and_are_compared(env: dict[str, str]) -> None:
    done = talk([PROMPT, PROMPT], env, "--ab", "--max-tokens", "8")
    assert done.returncode == 0, done.stderr
    order = [line for line in done.stdout.splitlines() if line.startswith("---")]
    assert order == [
        *("--- llamacpp ---", "--- ollama ---"),
        *("--- ollama ---", "--- llamacpp ---"),
    ]
    assert "answer (tokens/s)" in done.stdout
    assert "file" not in done.stderr  # the same bytes


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_ctrl_c_stops_the_answer_and_ctrl_d_leaves(env: dict[str, str], tmp_path: Path) -> None:
    import pty

    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "smolpc", "chat", "--max-tokens", "4000", "--context", "4096"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment(env) | {"TERM": "xterm"},
        cwd=ROOT,
        start_new_session=True,
    )
    os.close(follower)
    screen = ""

    def until(text: str, seconds: float = 120) -> None:
        nonlocal screen
        import select

        end = time.monotonic() + seconds
        while text not in screen:
            assert time.monotonic() < end, screen
            if select.select([leader], [], [], 0.5)[0]:
                screen += os.read(leader, 4096).decode("utf-8", "replace")
        screen = screen.partition(text)[2]

    try:
        until("> ")
        os.write(leader, b"Write a very long story about the sea.\n")
        until("sea.")
        until(" ")
        os.kill(process.pid, signal.SIGINT)
        until("stopped")
        until("> ")
        os.write(leader, b"/stats\n")
        until("this chat   1 answers")
        until("> ")
        os.write(leader, b"\x04")
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(leader)
    kept = next((tmp_path / "state").rglob("chat_history"))
    assert "the sea" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(shutil.which("ollama") is None, reason="Ollama is not installed here")
def test_the_real_ollama(smolpc: Smolpc) -> None:
    listed = smolpc("backends.list", "--json")
    found = states(listed)
    if found["ollama"].problem is not None or not found["ollama"].models:
        pytest.skip("Ollama does not run here, or has no models")
    model = min(found["ollama"].models, key=lambda one: one.size).name
    done = smolpc(
        *("run", PROMPT, "--backend", "ollama", "--model", model, "--max-tokens", "16", "--json")
    )
    assert done.returncode == 0, done.stderr
    result = msgspec.json.decode(done.stdout, type=RunResult)
    assert result.provider == "ollama"
    assert result.generated_tokens > 0
    assert result.decode_rate > 0
