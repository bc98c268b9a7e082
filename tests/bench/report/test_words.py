"""The one sentence is true, and says the faster one first."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings

from smolpc.bench.report import words
from smolpc.bench.report.figures import interval, number, share, times
from smolpc.schema.bench import BenchResult, Estimate, Metric
from tests.bench.report import odd
from tests.bench.results import compared, result


def said(
    ratio: Estimate, metric: Metric = "total", names: tuple[str, str] = ("in process", "Ollama")
) -> str:
    found = result(dict.fromkeys(names, 1.0), blocks=1)
    one = compared("short-chat", metric, names[0], names[1], ratio)
    return words.headline(msgspec.structs.replace(found, comparisons=(one,)))


def ratio(median: float, low: float | None = None, high: float | None = None) -> Estimate:
    return Estimate(median=median, low=low, high=high, count=12)


def test_the_faster_program_comes_first() -> None:
    slower_ollama = (
        "On this PC smolpc answers 1.30 times as fast as Ollama (between 1.25 and 1.35)."
    )
    assert said(ratio(1.3, 1.25, 1.35)) == slower_ollama
    assert said(ratio(1 / 1.3, 1 / 1.35, 1 / 1.25), names=("Ollama", "in process")) == slower_ollama
    assert said(ratio(1.3, 1.25, 1.35), "decode") == (
        "On this PC Ollama writes 1.30 times as fast as smolpc (between 1.25 and 1.35)."
    )
    assert said(ratio(1 / 1.3, 1 / 1.35, 1 / 1.25), "decode") == slower_ollama.replace(
        "answers", "writes"
    )


def test_parity_and_not_knowing_are_said_as_they_are() -> None:
    assert said(ratio(1.01, 0.98, 1.03)) == (
        "On this PC Ollama and smolpc answer equally fast (the ratio is between 0.98 and 1.03)."
    )
    unclear = said(ratio(1.4))
    assert "it is not clear whether Ollama or smolpc answers faster" in unclear
    assert "1.4" not in unclear and "too few" in unclear
    few = result(blocks=2, flagged=())
    assert "not clear" in words.headline(few) and words.by_scenario(few) == []


def test_everyday_use_and_other_programs_come_first() -> None:
    found = result()
    turned = msgspec.structs.replace(found, scenarios=found.scenarios[::-1])
    assert "Ollama" in words.headline(found)
    assert words.headline(turned) == words.headline(found)
    assert len(words.by_scenario(found)) == 4


def test_several_programs_of_ours_are_told_apart() -> None:
    found = result({"in process": 1.0, "llama-server": 0.8})
    assert words.headline(found).startswith(
        "On this PC smolpc (in process) answers 1.23 times as fast as smolpc (llama-server)"
    )


def test_llama_bench_writes_but_does_not_answer() -> None:
    found = result({"llama-server": 1.0, "in process": 1.1, "llama-bench": 1.5})
    assert "smolpc (in process) answers" in words.headline(found)
    lines = [line for _, line in words.by_scenario(found)]
    assert sum("llama-bench writes" in line for line in lines) == 2
    alone = words.headline(result({"llama-server": 1.0, "llama-bench": 1.5}))
    assert alone.startswith("On this PC llama-bench writes")


def test_alone_it_says_what_it_does() -> None:
    assert "smolpc writes 59.3 tokens a second" in words.headline(result({"in process": 1.0}))
    assert words.headline(result(blocks=0)) == "Nothing can be said: no answer counts."
    assert words.headline(result({}, blocks=0)) == "Nothing can be said: no answer counts."


@settings(max_examples=40)
@given(odd.results())
def test_there_is_always_one_sentence_on_one_line(found: BenchResult) -> None:
    line = words.headline(found)
    assert line.endswith(".") and line.isprintable()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.000"),
        (0.01234, "0.0123"),
        (0.43, "0.430"),
        (1.234, "1.23"),
        (45.67, "45.7"),
        (1234.5, "1234"),
        (None, "–"),
        (float("nan"), "–"),
        (float("inf"), "–"),
        (-1, "–"),
    ],
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_ratios_near_one_and_shares() -> None:
    assert [times(one) for one in (1, 1.004, 1.31, 0.0512, 12.34)] == [
        "1.00",
        "1.004",
        "1.31",
        "0.0512",
        "12.3",
    ]
    assert share(0.624) == "62 %" and share(float("nan")) == "–"
    assert interval(ratio(2, 1, 3)) == "1.00 to 3.00" and not interval(ratio(2, 1))
