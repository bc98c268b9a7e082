"""A character may be spread over tokens; the text that comes out is always whole."""

from __future__ import annotations

import ctypes
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.errors import UsageError
from smolpc.runtime.vocabulary import TextStream, Vocabulary


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


class Bindings:
    """A vocabulary that must not be asked any more after `freed`."""

    llama_token = ctypes.c_int32
    freed = False

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            assert not self.freed, f"{name} was called with a handle that was freed"
            return 0

        return call


def test_after_close_the_engine_is_not_asked() -> None:
    bindings = Bindings()
    vocabulary = Vocabulary(bindings, None)
    assert (vocabulary.piece(7), vocabulary.is_end(7)) == (b"", False)
    vocabulary.close()
    bindings.freed = True
    assert (vocabulary.piece(7), vocabulary.is_end(7)) == (b"", False)  # known already
    for ask in (vocabulary.piece, vocabulary.is_end):
        with pytest.raises(UsageError, match="closed"):
            ask(8)
    with pytest.raises(UsageError, match="closed"):
        vocabulary.tokens("text")


def test_close_waits_for_the_call_that_is_under_way() -> None:
    vocabulary, closed = Vocabulary(Bindings(), None), threading.Event()

    def close() -> None:
        vocabulary.close()
        closed.set()

    with vocabulary.open():
        thread = threading.Thread(target=close)
        thread.start()
        assert not closed.wait(0.05)
    thread.join()
    assert closed.is_set()
