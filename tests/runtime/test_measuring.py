"""Each CPU library has a child with the model in memory: no more of them than fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from smolpc import proc
from smolpc.runtime.load_test import memory_needed
from smolpc.runtime.measuring import Measurer, Timing
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings

alive: list[str] = []


class Child:
    def __init__(self, argv: list[str], **_: Any) -> None:
        self.variant = argv[-1]
        alive.append(self.variant)

    def ask(self, text: str, timeout: float) -> str:
        return msgspec.json.encode(Timing(prompt=1.0, answer=1.0)).decode()

    def close(self) -> None:
        alive.remove(self.variant)


@pytest.mark.parametrize(("room", "most"), [(2, 2), (10, 4)])
def test_children_end_where_memory_is_short(
    room: int, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proc, "Dialogue", Child)
    model = tmp_path / "model.gguf"
    model.write_bytes(b"x" * 1000)
    one = memory_needed(1000)
    with Measurer(tmp_path, "lib", model, free=lambda: (room - len(alive)) * one) as measurer:
        for variant in ("", "a", "b", "a", "c", ""):
            settings = RunSettings(memory=FitSettings(context=1), threads=1, cpu_variant=variant)
            measurer.measure(settings, prompt=1, answer=1)
            assert alive[-1] == variant or variant in alive
            assert len(alive) <= most
    assert alive == []
