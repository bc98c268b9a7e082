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


# The child is in a group of its own, as a compiler under Ninja is.
GRANDCHILD = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'], process_group=0)
open(sys.argv[1], 'w').write(f'{os.getpid()} {child.pid} ')
time.sleep(99)
"""
GUARDED = """
import pathlib, sys
from smolpc import proc
argv = [sys.executable, '-c', sys.argv[1], sys.argv[2]]
proc.run(argv, guard=pathlib.Path(sys.argv[2] + '.lock'), timeout=99)
"""


@pytest.fixture
def killed(tmp_path: Path) -> list[int]:
    """The pids of a guarded program and its child, whose smolpc was just killed with -9."""
    note = tmp_path / "pids"
    parent = subprocess.Popen([*python(GUARDED), GRANDCHILD, str(note)])
    while not note.exists() or not note.read_text().endswith(" "):
        time.sleep(0.05)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    return [int(pid) for pid in note.read_text().split()]


def test_a_guarded_program_and_its_children_die_with_a_killed_parent(killed: list[int]) -> None:
    assert all(gone(pid) for pid in killed)


def test_the_next_guarded_program_waits_until_the_last_one_is_gone(
    killed: list[int], tmp_path: Path
) -> None:
    proc.run(python("pass"), guard=tmp_path / "pids.lock")
    assert all(gone(pid, within=0.1) for pid in killed)


def test_a_guarded_program_reports_its_own_exit_code(tmp_path: Path) -> None:
    assert proc.run(python("raise SystemExit(7)"), guard=tmp_path / "lock").code == 7


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://user:hunter2@example.org/x", "https://***@example.org/x"),
        ("cannot reach me:hunter2@ollama.school:11434", "cannot reach ***@ollama.school:11434"),
        ("'me:hunter2@[::1]:80'", "'***@[::1]:80'"),
        ("git@github.com:ggml-org/llama.cpp", "git@github.com:ggml-org/llama.cpp"),
        (r"C:\Users\anna@school.org\smolpc", r"C:\Users\anna@school.org\smolpc"),
        ("hf:Qwen/Qwen3@main", "hf:Qwen/Qwen3@main"),
        ("ab:" * 100_000, "ab:" * 100_000),
        ("asked at 10:30: anna@school.org", "asked at 10:30: anna@school.org"),
        ("--token=abc123 rest", "--token=*** rest"),
        ("Authorization: Bearer", "Authorization: ***"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_secrets_are_masked(text: str, masked: str) -> None:
    assert proc.mask(text) == masked


def child(code: str, *arguments: str, seen: list[str] | None = None) -> proc.Child:
    lines = [] if seen is None else seen
    return proc.Child(
        [*python(code), *arguments], env=dict(os.environ), cwd=Path.cwd(), on_line=lines.append
    )


def test_a_child_tells_what_it_prints_and_how_it_ended() -> None:
    seen: list[str] = []
    one = child("print('eins ü'); raise SystemExit(7)", seen=seen)
    assert one.wait(20) == 7
    assert seen == ["eins ü"]
    assert gone(one.pid)
    one.stop()  # after the end it does nothing


def pids(note: Path) -> list[int]:
    while not note.exists() or not note.read_text().endswith(" "):
        time.sleep(0.05)
    return [int(pid) for pid in note.read_text().split()]


def test_a_stopped_child_leaves_nothing_behind(tmp_path: Path) -> None:
    one = child(GRANDCHILD, str(tmp_path / "pids"))
    started = pids(tmp_path / "pids")
    assert one.wait(0) is None
    one.stop()
    assert all(gone(pid, within=0.1) for pid in [one.pid, *started])


def test_a_killed_child_leaves_nothing_behind(tmp_path: Path) -> None:
    one = child(GRANDCHILD, str(tmp_path / "pids"))
    started = pids(tmp_path / "pids")
    os.kill(started[0], signal.SIGKILL)
    assert one.wait(20) == 128 + signal.SIGKILL
    assert all(gone(pid, within=0.1) for pid in [one.pid, *started])


def test_a_child_does_not_outlive_its_guard(tmp_path: Path) -> None:
    one = child(GRANDCHILD.replace("process_group=0", ""), str(tmp_path / "pids"))
    started = pids(tmp_path / "pids")
    os.kill(one.pid, signal.SIGKILL)
    assert one.wait(20) == -signal.SIGKILL
    assert all(gone(pid) for pid in [one.pid, *started])


CHILD = """
import os, pathlib, sys, time
from smolpc import proc
argv = [sys.executable, '-c', sys.argv[1], sys.argv[2]]
proc.Child(argv, env=dict(os.environ), cwd=pathlib.Path.cwd(), on_line=print)
time.sleep(99)
"""


def test_a_child_and_its_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    parent = subprocess.Popen([*python(CHILD), GRANDCHILD, str(note)])
    started = pids(note)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert all(gone(pid) for pid in started)


def test_a_child_sees_only_the_environment_that_it_is_given() -> None:
    seen: list[str] = []
    env = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    one = proc.Child(
        python("import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"),
        env={**env, "ONLY": "this"},
        cwd=Path.cwd(),
        on_line=seen.append,
    )
    assert one.wait(20) == 0
    assert seen == [str(sorted([*env, "ONLY"]))]


def test_a_child_that_cannot_be_started_is_reported() -> None:
    one = proc.Child(["/no/such"], env=dict(os.environ), cwd=Path.cwd(), on_line=print)
    assert one.wait(20) != 0
