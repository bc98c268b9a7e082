"""The promise about hostile model files: a second and 64 MiB each, whatever they say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import ROOT, environment

pytestmark = pytest.mark.integration

CORPUS = sorted((ROOT / "tests" / "gguf" / "corpus").glob("*.gguf"))
MEMORY = 64 << 20  # bytes for one file
SECONDS = 1  # of CPU for one file
WATCHDOG = 300  # seconds for all; tracemalloc slows everything down


def read_in_child(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.gguf_child", *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=WATCHDOG,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "arguments", [[str(path) for path in CORPUS], ["--heavy"]], ids=["corpus", "heavy"]
)
def test_hostile_files_stay_within_time_and_memory(arguments: list[str]):
    result = read_in_child(*arguments)
    files = result["files"]
    assert len(files) >= 7
    assert {file["name"]: file["peak"] for file in files if file["peak"] > MEMORY} == {}
    assert result["seconds"] < SECONDS * len(files)


def test_the_measure_sees_memory(tmp_path: Path):
    """The check itself can fail: a file with a long text is seen to cost memory."""
    from tests.gguf import build as g

    path = tmp_path / "large.gguf"
    path.write_bytes(g.build([("text", "x" * (1 << 20))]))
    assert read_in_child(str(path))["files"][0]["peak"] > 1 << 20
