"""`smolpc tune --forget`, as a program sees it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from smolpc.provision import running, tuning
from smolpc.schema.registry_report import ForgetReport
from tests.cli.test_commands import run


@pytest.mark.parametrize("gone", [None, Path("tuned.json")])
def test_forgetting_reports_one_object(
    gone: Path | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared = SimpleNamespace(record=SimpleNamespace(name="smollm2-135m"))
    monkeypatch.setattr(running, "prepare", lambda *_: prepared)
    monkeypatch.setattr(tuning, "forget", lambda _: gone)
    assert run("tune", "--forget", "--json") == 0
    report = msgspec.json.decode(capsys.readouterr().out, type=ForgetReport)
    assert report == ForgetReport(name="smollm2-135m", removed=str(gone or ""))
