"""Pipelines become steps; states follow from what is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.errors import UsageError
from smolpc.plan import graph, show
from smolpc.plan.graph import Known
from smolpc.schema.plan import Plan, Step


def step(name: str, *needs: str, seconds: float = 0) -> Step:
    return Step(id=name, kind="x", title=name.title(), needs=needs, seconds=seconds)


CHAIN = (step("source"), step("compile", "source"), step("model"), step("use", "compile", "model"))


def states(**done: bool) -> dict[str, str]:
    known = {name: Known(done=value) for name, value in done.items()}
    return {item.id: item.state for item in graph.with_states(CHAIN, known)}


def test_everything_is_to_do_on_a_bare_machine() -> None:
    assert set(states().values()) == {"to-do"}


def test_what_only_a_cached_step_needs_is_skipped() -> None:
    assert states(compile=True) == {
        "source": "skipped",
        "compile": "cached",
        "model": "to-do",
        "use": "to-do",
    }


def test_nothing_is_to_do_when_the_last_step_is_done() -> None:
    assert "to-do" not in states(use=True, model=True).values()


def test_a_lost_result_in_the_middle_is_made_again() -> None:
    assert states(source=True, model=True) == {
        "source": "cached",
        "compile": "to-do",
        "model": "cached",
        "use": "to-do",
    }


@given(st.data())
def test_a_step_that_is_to_do_finds_what_it_needs(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    steps = tuple(
        step(f"s{n}", *(f"s{m}" for m in range(n) if data.draw(st.booleans())))
        for n in range(count)
    )
    known = {item.id: Known(done=data.draw(st.booleans())) for item in steps}
    found = {item.id: item for item in graph.with_states(steps, known)}
    for item in found.values():
        if item.state == "to-do":
            assert all(found[need].state in ("cached", "to-do") for need in item.needs)
        if item.state == "cached":
            assert known[item.id].done


def test_cost_is_counted_only_for_what_is_to_do() -> None:
    known = {"source": Known(done=True, fetch_bytes=5), "model": Known(fetch_bytes=7)}
    found = graph.with_states(CHAIN, known)
    assert sum(item.fetch_bytes for item in found) == 7


def test_the_longest_path_counts_overlapping_branches_once() -> None:
    steps = (step("a", seconds=5), step("b", seconds=3), step("c", "a", "b", seconds=1))
    assert graph.longest_path(steps) == 6
    assert graph.longest_path(steps[1:]) == 4, "what is done takes no time"


def test_a_template_is_rendered_in_dependency_order() -> None:
    text = """
steps:
  - {id: use, kind: k, title: Use, needs: [get]}
  - {id: get, kind: k, title: {{ title | quote }} }
"""
    steps = graph.render("p", text, {"title": 'a "name": ü'})
    assert [item.id for item in steps] == ["get", "use"]
    assert steps[0].title == 'a "name": ü'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps: [{id: a, kind: k, title: {{ nothing }} }]", "nothing"),
        ("steps: [{id: a, kind: k, title: t, neds: []}]", "neds"),
        ("steps: [{id: a, kind: k, title: t, needs: [b]}]", "unknown 'b'"),
        ("steps: [{id: one, kind: k, title: t},{id: b, kind: k, title: t, needs: [ona]}]", "'one'"),
        ("steps: [{id: a, kind: k, title: t, needs: [a]}]", "circle"),
        ("steps: [{id: a, kind: k, title: t}, {id: a, kind: k, title: t}]", "same id"),
        ("other: 1", "steps"),
        ("{% if %}", "cannot be read"),
        ("- [", "cannot be read"),
    ],
)
def test_a_bad_pipeline_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        graph.render("mine", text, {})
    assert said in str(caught.value)
    assert "mine" in caught.value.what


def test_graphs_for_other_tools_hold_every_step_and_every_edge() -> None:
    plan = Plan(
        pipeline="p", profile="x", why="", key="", model="", steps=graph.with_states(CHAIN, {})
    )
    for text in (show.mermaid(plan), show.dot(plan)):
        assert all(item.title in text for item in CHAIN)
        assert text.count("->") + text.count("-->") >= 3
