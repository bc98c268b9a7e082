"""One page, for everybody's eyes: complete, without requests, and nothing in it runs."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolpc.bench.report.html import page
from smolpc.catalog import load_catalog
from smolpc.schema.bench import BenchResult
from tests.bench.report import odd
from tests.bench.results import result

TEMPLATE = load_catalog().template
VOID = {"meta", "link", "line", "circle", "rect"}


class Reader(HTMLParser):
    """The tags with the names of their attributes, the values, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.values: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))
        self.values += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def safe(found: str) -> Reader:
    """The page, once it is known that it can do nothing and asks for nothing."""
    read = Reader(found)
    assert not read.open
    names = {tag[0] for tag in read.tags}
    assert not names & {"script", "img", "iframe", "object", "embed", "form", "a", "base"}
    assert [one for one in read.values if one[1] in ("src", "href")] == [("link", "href", "data:,")]
    assert not [one for one in read.values if one[1].startswith(("on", "xlink"))]
    style = re.search("<style>(.*?)</style>", found, re.DOTALL)
    assert style and "url(" not in style[1] and "@import" not in style[1]
    return read


def test_the_page_says_it_in_a_sentence_and_shows_every_answer() -> None:
    found = result(notes=["Ollama cut the prompt"])
    read = safe(page(found, TEMPLATE))
    text = " ".join(read.text)
    assert "On this PC smolpc answers 1.28 times as fast as Ollama" in text
    for said in ("Short chat", "Code edit", "Ollama cut the prompt", found.fingerprint, "i5-8500"):
        assert said in text
    assert "6 do not count (load: 6)" in text
    dots = [one for one in read.values if one[:2] == ("circle", "class") and one[2] == "dot"]
    assert len(dots) == 4 * 2 * 3 * 11  # plots, scenarios, variants, blocks without flags


def test_who_does_not_see_the_plots_hears_them_and_has_the_table() -> None:
    read = safe(page(result(), TEMPLATE))
    plots = [one for one in read.tags if one[0] == "svg"]
    assert plots and all({"role", "aria-label"} <= {*one} for one in plots)
    spoken = [value for tag, name, value in read.values if (tag, name) == ("svg", "aria-label")]
    assert any(
        re.search(r"Writing the answer, tokens per second\. in process: 59", s) for s in spoken
    )
    assert len([one for one in read.tags if one[0] == "table"]) == 2
    assert ("html", "lang", "en") in read.values


def test_a_flagged_answer_is_hollow_and_one_far_away_does_not_squeeze_the_plot() -> None:
    near = page(result({"in process": 1.0, "Ollama": 0.6}), TEMPLATE)
    assert 'class="out"' in near
    far = page(result({"in process": 1.0}, noise=0.001), TEMPLATE)
    assert 'class="out"' not in far and "1 answer that does not count lies outside." in far


@pytest.mark.parametrize("text", odd.EVIL)
def test_names_and_notes_are_only_text(text: str) -> None:
    evil = {"in process": f"A{text}", "Ollama": f"B{text}"}
    plain = {"in process": "A", "Ollama": "B"}
    found = result({"in process": 1.0, "Ollama": 0.8}, flagged=())
    after = safe(page(odd.named(found, evil, f"x{text}"), TEMPLATE))
    before = safe(page(odd.named(found, plain, "x"), TEMPLATE))
    assert after.tags == before.tags


@settings(max_examples=40)
@given(odd.results())
def test_any_result_makes_a_safe_page(found: BenchResult) -> None:
    made = page(found, TEMPLATE)
    safe(made)
    made.encode()
    for number in re.findall(r' (?:x|y|x1|x2|y1|y2|cx|cy|width)="([^"]*)"', made):
        assert -1 <= float(number) <= 1000


@given(st.sampled_from([0, 1, 2]))
def test_few_or_only_flagged_answers_make_a_page(blocks: int) -> None:
    safe(page(result(blocks=blocks), TEMPLATE))
    safe(page(result(blocks=blocks, flagged=range(blocks)), TEMPLATE))
    safe(page(result({}, blocks=blocks), TEMPLATE))
