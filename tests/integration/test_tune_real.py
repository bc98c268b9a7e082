"""Tuning with the real engine and the real 135M model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from smolpc.runtime.measuring import Measurer, NotMeasured
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings
from smolpc.schema.tuning import Tuned, TuneReport
from smolpc.store import Store
from tests.integration.conftest import ROOT, Provisioned, Smolpc, environment

pytestmark = pytest.mark.integration

START = RunSettings(memory=FitSettings(context=1024, full_window=True), threads=1)


@pytest.fixture
def store(provisioned: Provisioned, tmp_path: Path) -> Store:
    """The provisioned store with its own folder for what is measured."""
    copy = tmp_path / "store"
    copy.mkdir()
    for one in provisioned.store.root.iterdir():
        if one.name not in ("tuned", "locks"):
            (copy / one.name).symlink_to(one)
    return Store(copy)


def kept(store: Store) -> list[Tuned]:
    files = store.tuned.glob("*.json") if store.tuned.is_dir() else ()
    return [msgspec.json.decode(path.read_bytes(), type=Tuned) for path in files]


def test_a_question_is_measured_and_bad_settings_are_refused(provisioned: Provisioned) -> None:
    artifact, model = provisioned.artifact, provisioned.model
    with Measurer(artifact, "lib", model) as measurer:
        one = measurer.measure(START, prompt=32, answer=4)
        assert one.prompt > 0 and one.answer > 0
        nowhere = msgspec.structs.replace(START, cpu_variant="ggml-cpu-nowhere")
        with pytest.raises(NotMeasured, match="CPU library"):
            measurer.measure(nowhere, prompt=8, answer=2)
        assert measurer.measure(START, prompt=8, answer=2).prompt > 0


def test_a_child_that_dies_costs_one_measurement(provisioned: Provisioned) -> None:
    with Measurer(provisioned.artifact, "lib", provisioned.model) as measurer:
        measurer.measure(START, prompt=8, answer=2)
        running = [one for one in psutil.Process().children() if one.status() != "zombie"]
        child = next(one for one in running if "measure_child" in " ".join(one.cmdline()))
        child.send_signal(signal.SIGSEGV)
        with pytest.raises(NotMeasured, match="segmentation fault"):
            measurer.measure(START, prompt=8, answer=2)
        assert measurer.measure(START, prompt=8, answer=2).prompt > 0
    assert not psutil.pid_exists(child.pid)


def test_tune_reports_keeps_and_forgets(store: Store, smolpc: Smolpc) -> None:
    env = {"SMOLPC_STORE": str(store.root)}
    done = smolpc("tune", "--minutes", "0.1", "--json", env=env)
    assert done.returncode == 0, done.stderr
    report = msgspec.json.decode(done.stdout, type=TuneReport)
    assert report.steps and kept(store) == [report.tuned]
    events: list[dict[str, Any]] = [json.loads(line) for line in done.stderr.splitlines()]
    assert events[0]["event"] == "start"
    assert "default settings" in smolpc("tune", "--forget", env=env).stdout
    assert not kept(store)
    assert "nothing to forget" in smolpc("tune", "--forget", env=env).stdout


def test_ctrl_c_keeps_what_is_known_and_leaves_no_process(store: Store) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "smolpc", "tune", "--minutes", "2"],
        env=environment({"SMOLPC_STORE": str(store.root)}),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    family = psutil.Process(process.pid)
    for line in process.stderr:  # the first group is through
        if line.startswith("threads"):
            break
    children = family.children(recursive=True)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(60) == 130
    assert "what was proved until now is kept" in process.stderr.read()
    assert len(kept(store)) == 1
    ends = time.monotonic() + 10
    while any(one.is_running() for one in children) and time.monotonic() < ends:
        time.sleep(0.1)
    assert not any(one.is_running() for one in children)


def test_a_wrong_number_of_minutes_is_said(store: Store, smolpc: Smolpc) -> None:
    done = smolpc("tune", "--minutes", "soon", env={"SMOLPC_STORE": str(store.root)})
    assert done.returncode == 2 and "soon" in done.stderr
