"""Markdown, the terminal and the spreadsheet: the same figures, and names that stay names."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given, settings

from smolpc.bench.report import markdown, tables
from smolpc.console import Console
from smolpc.schema.bench import BenchResult
from tests.bench.report import odd
from tests.bench.results import result

CELLS = re.compile(r"(?<!\\)\|")
BOTH = {"in process": 1.0, "Ollama": 0.8}


def shown(found: BenchResult, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    tables.show(Console(), found)
    return capsys.readouterr().out


def tidy(text: str) -> None:
    """Tables keep their columns, and no HTML but line breaks."""
    assert "<" not in text.replace("<br>", "").replace("&lt;", "")
    heads = 0
    for line in text.splitlines():
        if line.startswith("| "):
            heads = heads or len(CELLS.findall(line))
            assert len(CELLS.findall(line)) == heads
        else:
            heads = 0


def test_markdown_has_the_tables_the_machine_and_the_doubts() -> None:
    text = markdown.report(result(notes=["Ollama cut the prompt"]))
    tidy(text)
    assert "**On this PC smolpc answers 1.28 times as fast as Ollama" in text
    row = next(line for line in text.splitlines() if line.startswith("| Ollama"))
    assert re.search(r"46\.9 \(46\.0 to 47\.8\)<br>0\.78 × \(0\.76 to 0\.82\), worse", row)
    for said in ("## Code edit", "i5-8500", "6 do not count (load: 6)", "Ollama cut the prompt"):
        assert said in text
    assert "68 % of what is possible here (88.0 tokens/s), held back by memory bandwidth" in text


@pytest.mark.parametrize("text", odd.EVIL)
def test_an_evil_name_changes_no_line_of_the_markdown(text: str) -> None:
    found = result(BOTH, flagged=())
    evil = odd.named(found, {"in process": f"A{text}", "Ollama": f"B{text}"}, f"x{text}")
    plain = odd.named(found, {"in process": "A", "Ollama": "B"}, "x")
    made = markdown.report(evil)
    tidy(made)
    assert len(made.splitlines()) == len(markdown.report(plain).splitlines())
    assert not re.search(r"(?<!\\)(\]\(|`|\*\*bold)", made)


@settings(max_examples=40)
@given(odd.results())
def test_any_result_can_be_written(found: BenchResult) -> None:
    tidy(markdown.report(found))
    rows = list(csv.reader(io.StringIO(tables.answers_csv(found))))
    assert len(rows) == len(found.answers) + 1
    assert len({len(row) for row in rows}) == 1
    named = [row[1:5] for row in rows]
    assert not [cell for row in named for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_a_terminal_gets_a_table_for_each_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(result(notes=["Ollama cut the prompt"]), capsys)
    assert text.startswith("On this PC ")  # what a teacher reads comes first
    assert text.count("first token (s)") == 2
    assert re.search(r"Ollama +0\.0672 +700 +46\.9 +27\.7 +511\n", text)
    assert "decode 0.78 × (0.76 to 0.82) worse" in text
    assert "note: Ollama cut the prompt" in text
    assert "the others are compared with this one" in text


@pytest.mark.parametrize("evil", odd.EVIL)
def test_a_name_cannot_steer_the_terminal(evil: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = result(BOTH, blocks=2)
    text = shown(odd.named(found, {"in process": f"A{evil}", "Ollama": f"B{evil}"}, evil), capsys)
    assert all(line.isprintable() for line in text.splitlines())


def test_a_result_without_answers_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Nothing can be said" in shown(result(blocks=0), capsys)
    assert "Nothing can be said" in shown(result(flagged=range(12)), capsys)


def test_every_answer_is_in_the_spreadsheet() -> None:
    found = result()
    rows = list(csv.DictReader(io.StringIO(tables.answers_csv(found))))
    assert len(rows) == len(found.answers) == 72
    assert {row["model"] for row in rows} == {"smollm2-135m-instruct-q8_0"}
    assert [float(row["decode"]) for row in rows] == [one.decode for one in found.answers]
    assert rows[0]["vram"] == "" and "load" in {row["flags"] for row in rows}
