"""Checking drafts against a simulated engine: what comes out is what single tokens give."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.runtime.cache import Cache
from smolpc.runtime.speculation.pace import LONGEST
from smolpc.runtime.speculation.verifier import Verifier

WORDS = 5


def follows(tokens: Sequence[int], drawn: int) -> int:
    """What the simulated model says after `tokens`; `drawn` is its random number."""
    return (sum(tokens[-3:]) * 7 + len(tokens) + drawn) % WORDS


class Batch(ctypes.Structure):
    _fields_ = (
        ("n_tokens", ctypes.c_int32),
        ("token", ctypes.POINTER(ctypes.c_int32)),
        ("logits", ctypes.POINTER(ctypes.c_int8)),
    )


class Engine:
    """Its memory is a list of tokens; `choose` reads it, and counts the numbers it drew."""

    def __init__(self, prompt: Sequence[int], *, recurrent: bool = False, batch: int = 512) -> None:
        self.memory: list[int] = list(prompt)
        self.before = 0  # tokens in the memory before the last call
        self.drawn = 0
        self.rows = (ctypes.c_float * WORDS)()
        self.llama = SimpleNamespace(
            llama_batch=Batch,
            llama_token=ctypes.c_int32,
            llama_decode=self.decode,
            llama_get_logits_ith=lambda _, place: ctypes.addressof(self.rows),
            llama_get_memory=lambda _: None,
            llama_memory_can_shift=lambda _: False,
            llama_memory_clear=lambda *_: self.memory.clear(),
            llama_memory_seq_rm=self.remove,
            llama_model_get_vocab=lambda _: None,
            llama_model_is_hybrid=lambda _: False,
            llama_model_is_recurrent=lambda _: recurrent,
            llama_n_batch=lambda _: batch,
            llama_n_ctx_seq=lambda _: 1000,
            llama_vocab_n_tokens=lambda _: WORDS,
        )
        self.cache = Cache(self.llama, None)
        self.cache.held[:] = prompt
        self.verifier = Verifier(self.llama, None, self.cache, self.check)

    def decode(self, context: Any, batch: Batch) -> int:
        self.before = len(self.memory)
        self.memory += batch.token[: batch.n_tokens]
        return 0

    def remove(self, memory: Any, sequence: int, first: int, last: int) -> bool:
        del self.memory[first:]
        return True

    def check(self, code: int) -> None:
        assert code == 0

    def choose(self, position: int) -> int:
        self.drawn += 1
        return follows(self.memory[: self.before + position + 1], self.drawn)


def alone(prompt: Sequence[int], token: int, count: int) -> list[int]:
    """`count` tokens after `prompt` and `token`, one at a time."""
    known = [*prompt, token]
    for drawn in range(1, count + 1):
        known.append(follows(known, drawn))
    return known[len(prompt) + 1 :]


@given(
    st.lists(st.integers(0, WORDS - 1), min_size=1, max_size=20),
    st.integers(0, LONGEST),
    st.integers(0, LONGEST),
)
def test_any_draft_gives_what_single_tokens_give(
    prompt: list[int], length: int, wrong_at: int
) -> None:
    engine = Engine(prompt)
    draft = alone(prompt, 3, length)
    if wrong_at < length:
        draft[wrong_at] = (draft[wrong_at] + 1) % WORDS
    found = engine.verifier.verify(3, draft, engine.choose)
    assert len(found) == min(wrong_at, length) + 1
    assert found == alone(prompt, 3, len(found))
    assert engine.drawn == len(found)  # as many random numbers as single tokens draw
    assert engine.memory == engine.cache.held == [*prompt, 3, *found[:-1]]


def test_trying_whether_batches_are_exact_leaves_no_trace() -> None:
    engine = Engine([1, 2, 3])
    assert engine.verifier.trusted(4, [1, 2]) == [1, 2]
    assert engine.memory == engine.cache.held == [1, 2, 3]
    assert engine.drawn == 0


@pytest.mark.parametrize("limits", [{"recurrent": True}, {"batch": LONGEST}])
def test_some_engines_cannot_check_drafts(limits: dict[str, Any]) -> None:
    assert Engine([1]).verifier.possible
    assert not Engine([1], **limits).verifier.possible


def test_no_draft_is_longer_than_what_is_left_of_the_context() -> None:
    engine = Engine([1] * 995)
    assert engine.verifier.room == 4
