"""The door to subprocesses, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from smolpc import proc
from smolpc.errors import PrerequisiteError

pytestmark = pytest.mark.integration


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def gone(pid: int, within: float = 10) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_output_code_and_lines_come_back(tmp_path: Path) -> None:
    seen: list[str] = []
    with (tmp_path / "log").open("w") as log:
        done = proc.run(
            python(
                "import sys; print('one'); sys.stdout.flush(); print('zwei ü', file=sys.stderr);"
                " raise SystemExit(3)"
            ),
            env={"PYTHONIOENCODING": "utf-8"},
            on_line=seen.append,
            log=log,
        )
    assert (done.code, seen) == (3, ["one", "zwei ü"])
    assert "zwei ü" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_missing_program_is_a_prerequisite() -> None:
    with pytest.raises(PrerequisiteError) as caught:
        proc.run(["smolpc-no-such-program"])
    assert caught.value.code == 3


def test_a_variable_can_be_set_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFLAGS", "-march=native")
    done = proc.run(
        python("import os; print(os.environ.get('CFLAGS'), os.environ['X'])"),
        env={"CFLAGS": None, "X": "1"},
    )
    assert done.output.split() == ["None", "1"]


SPAWN = """
import subprocess, sys, time
child = [sys.executable, '-c', 'import time; time.sleep(99)']
print(subprocess.Popen(child, start_new_session=True).pid, flush=True)
time.sleep(99)
"""


def test_a_timeout_ends_the_whole_tree() -> None:
    pids: list[int] = []
    with pytest.raises(proc.TimedOut):
        proc.run(python(SPAWN), timeout=3, on_line=lambda line: pids.append(int(line)))
    assert pids and gone(pids[0])


GUARDED = """
import sys
from smolpc import proc
code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(99)"
proc.run([sys.executable, '-c', code, sys.argv[1]], guard=True, timeout=99)
"""


def test_a_guarded_program_dies_with_a_killed_parent(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    parent = subprocess.Popen([*python(GUARDED), str(note)])
    while not note.exists() or not note.read_text():
        time.sleep(0.05)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert gone(int(note.read_text()))


def test_a_guarded_program_reports_its_own_exit_code() -> None:
    assert proc.run(python("raise SystemExit(7)"), guard=True).code == 7


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://user:hunter2@example.org/x", "https://***@example.org/x"),
        ("--token=abc123 rest", "--token=*** rest"),
        ("Authorization: Bearer", "Authorization: ***"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_secrets_are_masked(text: str, masked: str) -> None:
    assert proc.mask(text) == masked
