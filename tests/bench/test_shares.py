"""Whose rates are held against the processor."""

from __future__ import annotations

import pytest

from smolpc.bench.shares import on_processor
from tests.bench.results import host, variant


@pytest.mark.parametrize(
    ("name", "settings", "gpu", "judged"),
    [
        ("in process", {"gpu_layers": 0}, "RTX 4060", True),
        ("in process", {"gpu_layers": 12}, "RTX 4060", False),
        ("Ollama", {}, "", True),
        ("Ollama", {}, "RTX 4060", False),  # it may use it, and does not say so
    ],
)
def test_a_rate_that_a_gpu_may_have_made_is_not(
    name: str, settings: dict[str, int], gpu: str, judged: bool
) -> None:
    assert on_processor(variant(name, settings=settings), host(gpu=gpu)) is judged
