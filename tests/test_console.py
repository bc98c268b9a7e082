"""What people see, on a terminal and in a log."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc import console
from smolpc.console import Console, Events, Lines, human_bytes, human_seconds
from smolpc.errors import SmolpcError, UsageError


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (98_362_432, "98.4 MB"), (4_683_074_048, "4.7 GB")],
)
def test_bytes(count: int, said: str) -> None:
    assert human_bytes(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (0.4, "0 s"), (45, "45 s"), (250, "4 min 10 s"), (3900, "1 h 5 min")],
)
def test_seconds(seconds: float, said: str) -> None:
    assert human_seconds(seconds) == said


@given(st.floats(0, 1e15), st.floats(0, 1e9))
def test_any_number_has_a_text(count: float, seconds: float) -> None:
    assert human_bytes(count)
    assert human_seconds(seconds)


def test_progress_in_a_log_has_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, *[20.0] * 9])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    out = io.StringIO()
    with Lines(out).task("Get model", total=100_000_000) as task:
        task.update(0)
        task.update(40_000_000)
    assert "40.0 MB of 100.0 MB, 2.0 MB/s, 30 s left" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_events_are_json_lines_with_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 1.1, *[20.0] * 9])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    out = io.StringIO()
    with Events(out).task("Get model", total=100) as task:
        task.update(0)
        task.update(40)
    Events(out).note("a mirror did not answer")
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["start", "progress", "done", "note"]
    assert events[1] == {
        "event": "progress",
        "task": "Get model",
        "done": 40,
        "total": 100,
        "unit": "B",
        "rate": 2.0,
        "seconds_left": 30.0,
    }


def test_an_error_of_a_command_with_events_is_the_one_object(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Console(json=True, events=True).error(SmolpcError("it broke", next_step="smolpc doctor"))
    said = capsys.readouterr()
    assert json.loads(said.out)["error"]["what"] == "it broke"
    assert said.err == ""


def test_a_failed_task_is_not_reported_as_done() -> None:
    out = io.StringIO()
    with pytest.raises(ValueError, match="x"), Lines(out).task("Compile"):
        raise ValueError("x")
    assert "done" not in out.getvalue()


def test_json_mode_prints_nothing_but_the_object(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Console(json=True)
    shown.print("text")
    shown.write("text")
    shown.table(("a",), [("b",)])
    shown.aside("text")
    shown.emit({"format": 1})
    assert capsys.readouterr().out.split() == ["{", '"format":', "1", "}"]


def test_tables_align(capsys: pytest.CaptureFixture[str]) -> None:
    Console().table(("name", "x"), [("a", "1"), ("longer", "2")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.index(mark) for line, mark in zip(lines, "x12", strict=True)] == [8, 8, 8]


def test_a_text_with_half_a_surrogate_is_still_one_json_object(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Console(json=True).emit({"path": "/disk/\udcff"})
    assert json.loads(capsys.readouterr().out) == {"path": "/disk/\udcff"}


def test_an_error_is_said_when_the_output_cannot_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    console = Console(json=True)
    monkeypatch.setattr(console, "emit", full)
    monkeypatch.setattr("smolpc.console.quiet_exit", lambda: None)
    console.error(UsageError("wrong", next_step="do it again"))
    assert "next: do it again" in capsys.readouterr().err
