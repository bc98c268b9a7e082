"""One honest sentence."""

from __future__ import annotations

import pytest

from smolpc.bench.words import cell, sentence
from smolpc.schema.bench import Comparison, Estimate, Verdict


def compared(*found: tuple[float, Verdict]) -> list[Comparison]:
    return [
        Comparison(
            scenario=f"s{n}",
            metric="decode",
            base="Ollama",
            variant="in process",
            ratio=Estimate(median=ratio, low=ratio * 0.98, high=ratio * 1.02, count=9),
            verdict=verdict,
        )
        for n, (ratio, verdict) in enumerate(found)
    ]


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([(1.3, "better")], "in process answers 1.30 times as fast as Ollama."),
        ([(1.01, "parity"), (0.99, "parity")], "in process answers as fast as Ollama."),
        ([(1.3, "better"), (1.0, "parity")], "faster in some cases, equal in others"),
        ([(0.9, "worse"), (1.0, "parity")], "slower in some cases, equal in others"),
        ([(1.2, "better"), (0.8, "worse")], "faster in some cases, slower in others"),
        ([(1.2, "unknown")], "Too little was measured"),
        ([], "Too little was measured"),
    ],
)
def test_a_sentence(found: list[tuple[float, Verdict]], says: str) -> None:
    assert says in sentence("in process", "Ollama", compared(*found))


def test_what_noise_hides_is_not_counted() -> None:
    text = sentence("a", "b", compared((1.5, "unknown"), (1.1, "better")))
    assert "1.10 times" in text and "1.5" not in text


def test_a_cell_has_its_unit_and_its_noise() -> None:
    assert cell("decode", Estimate(median=100.0, low=98.0, high=102.0, count=9)) == "100.0 ±2%"
    assert cell("first_token", Estimate(median=0.0123, count=2)) == "12.3 ms"
    assert cell("memory", None) == "-"
