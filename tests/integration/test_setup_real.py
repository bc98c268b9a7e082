"""From a checkout to the first token, with the real engine and the real model."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.conftest import Provisioned, Smolpc, environment

pytestmark = pytest.mark.integration

# Laid into the child as sitecustomize.py: notes every process and every connection.
WATCH = """
import os, sys
def hook(event, arguments):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.fork", "socket.connect"):
        with open(os.environ["WATCH_LOG"], "a") as log:
            log.write(f"{event} {arguments[:2]!r}"[:200] + "\\n")
sys.addaudithook(hook)
"""


def test_setup_ends_with_generated_text(provisioned: Provisioned) -> None:
    report = provisioned.report
    assert report.generation is not None
    assert report.generation.model_name.startswith("smollm2-135m")
    if report.changed:  # a kept store was set up before
        assert report.answer is not None
        assert report.answer.generated_tokens > 10
        assert report.answer.text.strip()


def test_setup_again_does_nothing(provisioned: Provisioned, smolpc: Smolpc, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    log = tmp_path / "log"
    root = Path(__file__).parents[2]
    done = smolpc(
        "setup",
        env={
            **provisioned.env,
            "PYTHONPATH": os.pathsep.join([str(tmp_path), str(root)]),
            "WATCH_LOG": str(log),
        },
    )
    assert done.returncode == 0
    assert "Nothing to do" in done.stdout
    assert not log.exists(), log.read_text()


def test_the_plan_after_setup_is_all_cached(provisioned: Provisioned, smolpc: Smolpc) -> None:
    after = json.loads(smolpc("plan", "--format", "json", env=provisioned.env).stdout)
    assert {step["state"] for step in after["steps"]} <= {"cached", "skipped"}
    assert after["key"] == provisioned.artifact.name


def test_the_plan_before_setup_is_all_to_do(smolpc: Smolpc, tmp_path: Path) -> None:
    env = {"SMOLPC_STORE": str(tmp_path / "new")}
    before = json.loads(smolpc("plan", "--format", "json", env=env).stdout)
    assert {step["state"] for step in before["steps"]} == {"to-do"}
    assert sum(step["fetch_bytes"] for step in before["steps"]) > 100_000_000
    assert not (tmp_path / "new").exists(), "a plan must not touch the store"


def test_the_pre_image_is_readable(provisioned: Provisioned, smolpc: Smolpc) -> None:
    text = smolpc("artifacts.show", env=provisioned.env).stdout
    assert "GGML_NATIVE: 'OFF'" in text
    assert "commit: 0c1e57098bba43ac29e6e3b677cdceebdd22334f" in text
    assert provisioned.artifact.name in text


def test_the_same_question_gives_the_same_answer(provisioned: Provisioned, smolpc: Smolpc) -> None:
    ask = ("run", "--prompt", "Say hello.", "--max-tokens", "16", "--temperature", "0", "--json")
    one, two = (json.loads(smolpc(*ask, env=provisioned.env).stdout) for _ in range(2))
    assert one["text"] == two["text"]
    assert one["generated_tokens"] <= 16
    assert one["artifact"] == provisioned.artifact.name
    assert one["decode_rate"] > 0


def test_a_moved_store_runs(provisioned: Provisioned, smolpc: Smolpc, tmp_path: Path) -> None:
    moved = tmp_path / "moved to a path with ü"
    for area in ("artifacts", "models", "generations"):
        shutil.copytree(provisioned.store.root / area, moved / area)
    env = {"SMOLPC_STORE": str(moved)}
    done = smolpc("run", "--prompt", "Hi", "--max-tokens", "4", "--json", env=env)
    assert done.returncode == 0, done.stderr
    bench = next((moved / "artifacts").glob("*/bin/llama-bench*"))
    devices = subprocess.run(
        [bench, "--list-devices"], capture_output=True, text=True, check=False, timeout=60
    )
    assert devices.returncode == 0, devices.stderr


@pytest.fixture
def copied(provisioned: Provisioned, tmp_path: Path) -> Path:
    """A store that a test may damage."""
    for area in ("artifacts", "models", "generations"):
        shutil.copytree(provisioned.store.root / area, tmp_path / "store" / area)
    return tmp_path / "store"


def flip(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as stream:
        stream.seek(size // 2)
        byte = stream.read(1)
        stream.seek(size // 2)
        stream.write(bytes([byte[0] ^ 1]))


def test_a_flipped_byte_in_any_artifact_file_is_refused(copied: Path, smolpc: Smolpc) -> None:
    env = {"SMOLPC_STORE": str(copied)}
    folder = next((copied / "artifacts").iterdir())
    # one of each kind: library, program, bindings, licence, manifest, sentinel
    kinds = {(path.parent.name, path.suffix): path for path in folder.rglob("*") if path.is_file()}
    assert len(kinds) >= 6
    for path in kinds.values():
        flip(path)
        assert smolpc("artifacts.verify", env=env).returncode == 5, path
        refused = smolpc("run", "--prompt", "Hi", "--max-tokens", "1", env=env)
        assert refused.returncode == 5, path
        assert "next: smolpc" in refused.stderr
        assert refused.stdout == ""
        flip(path)
    assert smolpc("artifacts.verify", env=env).returncode == 0


def test_a_flipped_byte_in_the_model_is_refused_and_repaired(copied: Path, smolpc: Smolpc) -> None:
    env = {"SMOLPC_STORE": str(copied)}
    model = next((copied / "models").glob("*/*.gguf"))
    flip(model)
    assert smolpc("models.verify", env=env).returncode == 5
    assert smolpc("run", "--prompt", "Hi", "--max-tokens", "1", env=env).returncode == 5
    assert smolpc("models.pull", env=env).returncode == 0
    assert smolpc("models.verify", env=env).returncode == 0


def test_a_prompt_longer_than_the_context_is_refused(
    provisioned: Provisioned, smolpc: Smolpc
) -> None:
    done = smolpc("run", "--prompt", "word " * 600, "--context", "256", env=provisioned.env)
    assert done.returncode == 2
    assert "256" in done.stderr


@pytest.mark.parametrize("seconds", [0.2, 0.35, 0.5, 1.0])
def test_ctrl_c_ends_a_run_at_any_moment(provisioned: Provisioned, seconds: float) -> None:
    """While Python starts, the model loads, the prompt is read, or text is generated."""
    process = subprocess.Popen(
        [sys.executable, "-m", "smolpc", "run", "Tell a long story.", "--max-tokens", "4000"],
        env=environment(provisioned.env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode in (130, -signal.SIGINT), said
    assert "Exception ignored" not in said


def test_text_that_is_not_utf8_is_answered(provisioned: Provisioned) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "smolpc", "run", "-", "--max-tokens", "4"],
        env=environment({**provisioned.env, "LC_ALL": "C"}),
        input=b"Say hi \xff\xfe ok",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
