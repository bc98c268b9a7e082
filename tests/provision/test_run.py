"""Executing a plan: order, overlap, failure, and one setup per store."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from smolpc.catalog import load_catalog
from smolpc.console import Silent
from smolpc.errors import (
    BuildError,
    Interrupted,
    NetworkError,
    SelfCheckError,
    ToolUnavailable,
    UsageError,
)
from smolpc.plan.graph import Known
from smolpc.provision import run, steps
from smolpc.schema.plan import Plan, Step
from smolpc.settings import Settings
from smolpc.store import Store, refusals


class Recorder:
    """Step kinds that note when they run; a name may be made to wait, fail or report."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.actions: dict[str, Any] = {}
        outer = self

        class Kind:
            def known(self, work: Any, step: Step) -> Known:
                return Known()

            def perform(self, work: Any, step: Step) -> None:
                outer.actions.get(step.id, lambda work: None)(work)
                outer.done.append(step.id)

        monkeypatch.setattr(run, "kind_of", lambda step: Kind())


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch)


def plan(**needs: tuple[str, ...]) -> Plan:
    made = tuple(Step(id=name, kind="x", title=name, needs=need) for name, need in needs.items())
    return Plan(pipeline="p", profile="x", why="", key="", model="", steps=made)


def execute(made: Plan) -> None:
    work: Any = type("Work", (), {"reporter": Silent()})()
    run.execute(made, work)


def test_a_step_runs_after_what_it_needs(recorder: Recorder) -> None:
    execute(plan(c=("a", "b"), a=(), b=("a",)))
    assert recorder.done == ["a", "b", "c"]


def test_independent_steps_overlap(recorder: Recorder) -> None:
    both = threading.Barrier(2, timeout=10)
    recorder.actions = {"compile": lambda work: both.wait(), "model": lambda work: both.wait()}
    execute(plan(compile=(), model=(), use=("compile", "model")))
    assert recorder.done[-1] == "use"


def test_a_failure_stops_the_others_and_what_comes_after(recorder: Recorder) -> None:
    begun = threading.Event()

    def fail(work: Any) -> None:
        begun.wait(10)
        raise BuildError("broken")

    def download(work: Any) -> None:
        with work.reporter.task("download") as task:
            begun.set()
            for count in range(10**9):
                task.update(count)  # raises once the other one failed

    recorder.actions = {"compile": fail, "model": download}
    with pytest.raises(BuildError):
        execute(plan(compile=(), model=(), use=("compile", "model")))
    assert recorder.done == []


def test_ctrl_c_says_how_to_continue(recorder: Recorder) -> None:
    def press(work: Any) -> None:
        raise KeyboardInterrupt

    recorder.actions = {"compile": press}
    with pytest.raises(Interrupted) as caught:
        execute(plan(compile=()))
    assert caught.value.code == 130
    assert "smolpc setup" in caught.value.next_step


def test_cached_steps_are_not_performed(recorder: Recorder) -> None:
    cached = Step(id="a", kind="x", title="a", state="cached")
    todo = Step(id="b", kind="x", title="b", needs=("a",))
    execute(Plan(pipeline="p", profile="x", why="", key="", model="", steps=(cached, todo)))
    assert recorder.done == ["b"]


def test_an_unknown_kind_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="brew-coffee"):
        steps.kind_of(Step(id="x", kind="brew-coffee", title="x"))


def test_after_a_failed_self_check_the_next_best_profile_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`choose_target` passes over what is refused (tests/provision/test_target.py)."""
    store = Store(tmp_path)
    keys = iter(["1" * 64, "2" * 64])
    monkeypatch.setattr(run, "choose_target", lambda *_, **__: type("T", (), {"key": next(keys)})())

    def provision(target: Any, *_: Any, **__: Any) -> tuple[str, None]:
        if target.key.startswith("1"):
            raise SelfCheckError("illegal instruction")
        return "plan", None

    monkeypatch.setattr(run, "provision", provision)
    made, _ = run.provision_best(Settings(store=str(tmp_path)), reporter=Silent())
    assert made == "plan"
    assert "illegal instruction" in refusals.refusal(store, "1" * 64)
    assert refusals.refusal(store, "2" * 64) == ""


@pytest.mark.parametrize(
    ("tool", "profile", "goes_on"),
    [
        ("nvcc", "", True),  # only the GPU's profile needs it
        ("nvcc", "linux-x86_64-cuda", False),  # asked for by name
        ("cmake", "", False),  # every profile needs it
    ],
)
def test_a_tool_that_no_place_has_is_done_without_where_another_profile_can(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tool: str, profile: str, goes_on: bool
) -> None:
    nvcc = load_catalog().tools["nvcc"]

    def choose(*_: Any, without: frozenset[str], **__: Any) -> Any:
        return type("T", (), {"key": "1" * 64, "parts": () if "nvcc" in without else (nvcc,)})()

    def provision(target: Any, *_: Any, **__: Any) -> tuple[str, None]:
        if tool == "cmake" or target.parts:
            raise ToolUnavailable(tool, NetworkError("not found", next_step="pip config list"))
        return "plan", None

    monkeypatch.setattr(run, "choose_target", choose)
    monkeypatch.setattr(run, "provision", provision)
    settings = Settings(store=str(tmp_path), profile=profile)
    if goes_on:
        assert run.provision_best(settings, reporter=Silent())[0] == "plan"
        return
    with pytest.raises(ToolUnavailable) as caught:
        run.provision_best(settings, reporter=Silent())
    assert caught.value.code == NetworkError.code
    assert caught.value.next_step == "pip config list"


def test_a_profile_asked_for_by_name_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def provision(*_: Any, **__: Any) -> None:
        raise SelfCheckError("illegal instruction")

    monkeypatch.setattr(run, "choose_target", lambda *_, **__: type("T", (), {"key": "1" * 64})())
    monkeypatch.setattr(run, "provision", provision)
    with pytest.raises(SelfCheckError):
        run.provision_best(Settings(store=str(tmp_path), profile="x"), reporter=Silent())
