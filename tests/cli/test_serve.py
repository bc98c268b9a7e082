"""What `serve` prints to be copied."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from smolpc.cli.serve import _introduce
from smolpc.console import Console
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings
from smolpc.schema.serve_report import ServedReport, ServeReport

KEY = "a-good-key-1234"
MODEL = ServedReport(
    name="smollm2",
    aliases=(),
    context=256,
    settings=RunSettings(memory=FitSettings(context=256), threads=1),
)
REPORT = ServeReport(
    url="http://127.0.0.1:8080/v1",
    api_key=True,
    models=(MODEL,),
    at_once=1,
    parallel=1,
    pid=1,
    log="",
    artifact="0" * 64,
)


@pytest.mark.parametrize("file", ["", "my keys.txt", "~/k.txt", r"C:\Users\new\xkey.txt", 'a"b'])
def test_the_examples_can_be_copied_wherever_the_keys_are(
    file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOLPC_API_KEY", KEY)
    asked: list[tuple[str, str]] = []

    def openai(*, base_url: str, api_key: str) -> Any:
        def create(*, model: str, messages: Any) -> None:
            asked.append((api_key, model))

        return SimpleNamespace(chat=SimpleNamespace(completions=SimpleNamespace(create=create)))

    _introduce(Console(), REPORT, file)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    python = next(line for line in lines if line.startswith("Python: "))
    eval(python.removeprefix("Python: "), {"OpenAI": openai, "os": os})
    assert asked == [(KEY, "smollm2")]
    curl = next(line for line in lines if line.startswith("curl "))
    assert "Authorization: Bearer $SMOLPC_API_KEY" in shlex.split(curl)
    if file:
        where = str(Path.home() / "k.txt" if file.startswith("~") else Path.cwd() / file)
        assert any(where in line and "SMOLPC_API_KEY" in line for line in lines)
