"""Many PCs and many runs: what may be put together, and what must be kept apart."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolpc.bench.report import many, trends
from smolpc.bench.report.history import history
from smolpc.bench.report.merged import machine_class, merge
from smolpc.console import Console
from smolpc.schema.bench import BenchResult
from smolpc.schema.bench_many import MergedReport, MergedRow, TrendsReport
from tests.bench.report import odd
from tests.bench.report.test_html import TEMPLATE, safe
from tests.bench.report.test_texts import tidy
from tests.bench.results import host, result
from tests.machines import hosts

BOTH = {"in process": 1.0, "Ollama": 0.8}


def run(day: int, speed: float = 1.0, seed: int = 0, **changes: object) -> BenchResult:
    created = f"2026-11-{day:02}T08:00:00+00:00"
    found = result({"in process": speed, "Ollama": 0.8 * speed}, created=created, seed=seed or day)
    return msgspec.structs.replace(found, **changes)


def row(report: MergedReport, variant: str = "in process", place: int = 0) -> MergedRow:
    return next(
        one
        for one in report.classes[place].rows
        if (one.scenario, one.variant, one.metric) == ("short-chat", variant, "decode")
    )


def test_the_median_pc_counts_and_each_pc_once() -> None:
    pcs = {f"pc{n}": [run(1, speed, seed=n)] for n, speed in enumerate((1.0, 0.5, 2.0), 1)}
    pcs["pc1"] = [run(20, 1.0, seed=9), run(2, 4.0, seed=8), *pcs["pc1"]]  # the newest counts
    report = merge(pcs)
    (only,) = report.classes
    assert only.pcs == 3
    found = row(report)
    assert found.value.count == 3 and found.value.low is None
    assert 57 < found.value.median < 63 and found.pcs[0] < 33 and 110 < found.pcs[-1] < 130
    ollama = row(report, "Ollama")
    assert ollama.base == "in process" and ollama.ratio and 0.77 < ollama.ratio.median < 0.83


def test_with_many_pcs_there_is_an_interval() -> None:
    found = row(merge({str(n): [run(1, 1 + n / 100, seed=n + 1)] for n in range(8)}))
    assert found.value.low and found.value.high
    assert (
        found.pcs[0] <= found.value.low <= found.value.median <= found.value.high <= found.pcs[-1]
    )


def test_kinds_of_machines_stay_apart() -> None:
    pcs = {
        "a": [result(machine=host())],
        "b": [result(machine=host(), seed=2)],
        "c": [result(machine=host(gpu="NVIDIA RTX 4060"))],
        "d": [result(machine=host(memory=8))],
        "e": [],
    }
    report = merge(pcs)
    assert [one.pcs for one in report.classes] == [2, 1, 1]
    text = many.report(report)
    tidy(text)
    assert "## Intel Core i5-8500, 4 cores, 16 GB\n\n2 PCs" in text
    assert "NVIDIA RTX 4060" in text and "4 PCs of 3 kinds" in text
    assert many.report(merge({})).startswith("# How fast models answer")


def test_different_files_versions_and_engines_are_not_mixed_up() -> None:
    one, other = run(1), run(1, seed=2)
    files = tuple(msgspec.structs.replace(v, model_sha256="ef" * 32) for v in other.variants)
    report = merge({"a": [one], "b": [msgspec.structs.replace(other, variants=files)]})
    assert row(report).value.count == 1
    changed = tuple(msgspec.structs.replace(s, version=2) for s in other.scenarios)
    report = merge({"a": [one], "b": [msgspec.structs.replace(other, scenarios=changed)]})
    assert row(report).value.count == 1 and "version 2" in many.report(report)
    engines = tuple(msgspec.structs.replace(v, engine="newer") for v in other.variants)
    report = merge({"a": [one], "b": [msgspec.structs.replace(other, variants=engines)]})
    assert row(report).value.count == 2
    assert "different engines (llama.cpp 0.3.36, newer)" in report.classes[0].notes[0]


def test_ratios_to_different_programs_are_not_mixed_up() -> None:
    one = result({"in process": 1.0, "llama-server": 0.9, "Ollama": 0.8})
    other = result({"Ollama": 0.8, "llama-server": 0.9, "in process": 1.0}, seed=2)
    report = merge({"a": [one], "b": [other]})
    assert row(report, "llama-server").ratio is None
    ours = row(report)
    assert ours.base == "Ollama" and ours.ratio and ours.ratio.count == 1


def test_every_recorded_machine_has_a_class() -> None:
    for one in hosts().values():
        kind = machine_class(one)
        assert kind.processor and kind.memory.endswith(" GB") and "(R)" not in kind.processor
    assert machine_class(host(memory=16)).memory == "16 GB"


def test_a_trend_is_in_the_order_of_time_with_its_changes_marked() -> None:
    first, second, third = run(1), run(2, 1.1), run(3, 1.2)
    new = [msgspec.structs.replace(v, artifact="ff" * 32, engine="x") for v in second.variants]
    second, third = (msgspec.structs.replace(one, variants=tuple(new)) for one in (second, third))
    third = msgspec.structs.replace(third, smolpc="0.2.0", fingerprint="0" * 64)
    report = history([third, first, second, first])
    trend = next(
        one
        for one in report.trends
        if (one.scenario, one.variant, one.metric) == ("short-chat", "in process", "decode")
    )
    assert [point.run for point in trend.points] == [first.id, second.id, third.id]
    assert [point.changes for point in trend.points] == [(), ("engine",), ("machine", "smolpc")]
    speeds = [point.value.median for point in trend.points]
    assert speeds == sorted(speeds)


def test_another_file_is_another_trend() -> None:
    first, second = run(1), run(2)
    other = tuple(msgspec.structs.replace(v, model_sha256="ef" * 32) for v in second.variants)
    report = history([first, msgspec.structs.replace(second, variants=other)])
    assert {len(one.points) for one in report.trends} == {1}
    assert history([]) == TrendsReport(trends=())


def test_both_reports_go_through_json() -> None:
    runs = [run(1), run(2)]
    for value in (history(runs), merge({"a": runs})):
        assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value


@settings(max_examples=30)
@given(st.lists(odd.results(), max_size=3))
def test_odd_results_can_be_put_together(found: list[BenchResult]) -> None:
    trends.show(Console(json=True), history(found))
    report = merge({"a": found, "b": found[:1]})
    tidy(many.report(report))
    safe(many.page(report, TEMPLATE))


def test_the_page_of_many_pcs_has_a_dot_for_each_and_is_safe() -> None:
    report = merge({str(n): [run(1, 1 + n / 20, seed=n + 1)] for n in range(7)})
    read = safe(many.page(report, TEMPLATE))
    assert "7 PCs of 1 kind." in " ".join(read.text)
    dots = [one for one in read.values if one == ("circle", "class", "dot")]
    assert len(dots) == 4 * 2 * 2 * 7  # plots, scenarios, programs, PCs
    evil = odd.named(run(1), {"in process": "A<b>", "Ollama": "B'\">"}, "<script>x</script>")
    plain = odd.named(run(1), {"in process": "A", "Ollama": "B"}, "x")
    pages = [safe(many.page(merge({"a": [one]}), TEMPLATE)) for one in (evil, plain)]
    assert pages[0].tags == pages[1].tags
    safe(many.page(merge({}), TEMPLATE))


def test_a_file_under_two_names_is_one_file() -> None:
    first, second = run(1), run(2)
    named = tuple(
        msgspec.structs.replace(one, model="smollm2:135m") if one.name == "Ollama" else one
        for one in second.variants
    )
    second = msgspec.structs.replace(second, variants=named)
    report = merge({"a": [first], "b": [second]})
    assert row(report, "Ollama").value.count == 2
    assert len(many.groups(report.classes[0])) == 2  # scenarios
    assert {len(one.points) for one in history([first, second]).trends} == {2}


def test_a_history_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    new = [msgspec.structs.replace(v, artifact="ff" * 32) for v in run(2).variants]
    trends.show(Console(), history([run(1), run(2, 1.1, variants=tuple(new))]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "short-chat, in process, smollm2-135m-instruct-q8_0 cdcdcdcdcdcd"
    assert "decode (tokens/s)" in lines[1]
    assert not lines[2].endswith("engine") and lines[3].endswith("engine")
    trends.show(Console(), history([]))
    assert "No results yet" in capsys.readouterr().out
