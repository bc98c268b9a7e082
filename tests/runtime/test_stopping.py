"""Stop strings are found however the text is cut, and nothing else is lost."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from smolpc.runtime.stopping import Stops

LETTERS = st.text("ab\n", max_size=12)


def shown(parts: list[str], stops: list[str]) -> tuple[str, str]:
    filter_ = Stops(stops)
    text = ""
    for part in parts:
        text += filter_.add(part)
        if filter_.found:
            return text, filter_.found
    return text + filter_.finish(), ""


@given(st.lists(LETTERS), st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3))
@example(["a", "b"], ["b", "abc"])
def test_the_text_ends_before_the_first_complete_stop(parts: list[str], stops: list[str]) -> None:
    whole = "".join(parts)
    text, found = shown(parts, stops)
    assert (text, found) == shown(list(whole), stops)
    assert whole.startswith(text + found)
    assert not any(stop in text for stop in stops)
    assert bool(found) == any(stop in whole for stop in stops)
    assert found or text == whole


@given(st.lists(LETTERS))
def test_without_stops_every_piece_comes_at_once(parts: list[str]) -> None:
    assert [Stops(()).add(part) for part in parts] == parts


def test_only_what_may_become_a_stop_is_held_back() -> None:
    stops = Stops(["STOP"])
    assert [stops.add(part) for part in ("one S", "T", "ART S", "TO")] == ["one ", "", "START ", ""]
    assert stops.finish() == "STO"
