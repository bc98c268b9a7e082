"""The last step of a setup: done only when everything before it is, whatever was measured."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from smolpc.plan.graph import Known
from smolpc.provision import steps
from smolpc.schema.plan import Step
from smolpc.schema.tuning import Tuned, fingerprint
from smolpc.settings import Settings
from smolpc.store import Store, tunings
from tests.plan.hosts import machine as host_of

STEP = Step(id="tune", kind="tune-model", title="Tune")
KEY, MODEL = "a" * 64, "b" * 64


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("seconds", [0, 20])
def test_it_is_done_only_when_the_setup_is_active(
    active: bool, measured: bool, seconds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, store = host_of("haswell", "Intel i5"), Store(tmp_path)
    store.prepare()
    monkeypatch.setattr(steps.Activate, "known", lambda *_: Known(done=active))
    if measured:
        found = Tuned(host=fingerprint(machine), artifact=KEY, model=MODEL, created="")
        tunings.keep(store, found)
    target = SimpleNamespace(
        settings=Settings(tune_seconds=seconds),
        host=machine,
        key=KEY,
        model=SimpleNamespace(sha256=MODEL),
    )
    work: Any = SimpleNamespace(target=target, store=store)
    known = steps.TuneModel().known(work, STEP)
    assert known.done == (active and (measured or not seconds))
