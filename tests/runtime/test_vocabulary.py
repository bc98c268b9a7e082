"""A character may be spread over tokens; the text that comes out is always whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smolpc.runtime.vocabulary import TextStream


@given(st.text(), st.data())
def test_however_the_bytes_are_cut_the_text_is_the_same(text: str, data: st.DataObject) -> None:
    encoded = text.encode()
    stream, shown = TextStream(), ""
    while encoded:
        cut = data.draw(st.integers(1, min(4, len(encoded))))
        shown += stream.add(encoded[:cut])
        encoded = encoded[cut:]
    assert stream.finish() == ""
    assert shown == text


def test_half_a_character_waits_and_becomes_a_mark_at_the_end() -> None:
    stream = TextStream()
    assert stream.add("é".encode()[:1]) == ""
    assert stream.finish() == "�"
