"""The context of settings made by hand: what it becomes, and what is said about it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smolpc.runtime.settings import DEFAULT_CONTEXT, fit_context


@given(st.none() | st.integers(1, 1 << 20), st.integers(1, 1 << 20))
def test_context_is_never_more_than_trained_and_every_cut_is_said(
    asked: int | None, trained: int
) -> None:
    context, note = fit_context(asked, trained)
    assert 1 <= context <= trained
    wanted = trained if asked is None else asked
    assert (context < wanted) == bool(note)


def test_the_default_context_is_bounded() -> None:
    assert fit_context(None, 32768)[0] == DEFAULT_CONTEXT
    assert fit_context(None, 2048) == (2048, "")
