"""Which tokens stay: never one too many, and in exact reuse nothing that could change a word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.runtime.prefix.matching import (
    ROWS,
    Held,
    Memory,
    after_prompt,
    batches,
    common_prefix,
    keepable,
)

TOKENS = st.lists(st.integers(0, 2), max_size=300)


@st.composite
def related(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Two token lists that often begin alike."""
    first = draw(TOKENS)
    shared = draw(st.integers(0, len(first)))
    return first, first[:shared] + draw(TOKENS)


@given(related())
def test_the_common_prefix_is_common_and_the_longest(pair: tuple[list[int], list[int]]) -> None:
    one, other = pair
    count = common_prefix(one, other)
    assert one[:count] == other[:count]
    assert count == min(len(one), len(other)) or one[count] != other[count]
    assert common_prefix(other, one) == count


@given(related(), st.integers(0, 300), st.booleans())
def test_what_stays_is_in_both_and_leaves_a_token_to_compute(
    pair: tuple[list[int], list[int]], known: int, exact: bool
) -> None:
    held, wanted = pair
    keep = keepable(Held(held, min(known, len(held))), wanted, Memory(), exact=exact)
    assert 0 <= keep <= max(0, len(wanted) - 1)
    assert held[:keep] == wanted[:keep]
    if exact:
        assert keep <= known
    elif wanted:
        assert keep == min(common_prefix(held, wanted), len(wanted) - 1)


@given(related(), st.booleans())
def test_a_recurrent_memory_goes_on_at_its_end_or_starts_again(
    pair: tuple[list[int], list[int]], exact: bool
) -> None:
    held, wanted = pair
    keep = keepable(Held(held, len(held)), wanted, Memory(cuts=False), exact=exact)
    assert keep in (0, len(held))


def test_a_recurrent_memory_goes_on_with_the_next_question() -> None:
    assert keepable(Held([1, 2]), [1, 2, 3], Memory(cuts=False), exact=False) == 2
    assert keepable(Held([1, 2]), [1, 2], Memory(cuts=False), exact=False) == 0


@pytest.mark.parametrize(
    ("oldest", "keep"),
    [(0, 50), (10, 50), (40, 50), (41, 0), (90, 0)],
)
def test_a_window_must_still_hold_what_the_next_token_sees(oldest: int, keep: int) -> None:
    held, wanted = list(range(100)), [*range(50), 999, 999]
    memory = Memory(window=10, oldest=oldest)
    assert keepable(Held(held), wanted, memory, exact=False) == keep


@given(st.integers(0, 5000), st.integers(1, 600))
def test_batches_are_all_of_the_prompt_and_none_is_small(count: int, most: int) -> None:
    sizes = list(batches(count, most))
    assert sum(sizes) == count
    assert all(0 < size <= most for size in sizes)
    if count >= ROWS and most >= 2 * ROWS:
        assert min(sizes) >= ROWS


class RoundingEngine:
    """An engine whose rows tell how they were computed, as the real one's rounding does:
    in a batch that is smaller than a tile, at the uneven end of a batch, or as usual."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.rows: list[int] = []  # each is a digest of its token, its way and all rows before
        self.tokens: list[int] = []

    def compute(self, tokens: list[int], kept: int) -> int:
        """Compute the rest of a prompt after `kept` rows; the last row is the logits."""
        del self.rows[kept:], self.tokens[kept:]
        for size in batches(len(tokens) - kept, self.batch):
            begin = len(self.rows)
            for place, token in enumerate(tokens[begin : begin + size]):
                uneven = place >= size // 4 * 4
                self._add(token, "small" if size < ROWS else "uneven" if uneven else "usual")
        return self.rows[-1]

    def answer(self, tokens: list[int]) -> None:
        for token in tokens:
            self._add(token, "alone")

    def _add(self, token: int, way: str) -> None:
        before = self.rows[-1] if self.rows else 0
        self.rows.append(hash((token, way, before)))
        self.tokens.append(token)


@st.composite
def conversations(draw: st.DrawFn) -> list[tuple[list[int], list[int], bool]]:
    """Prompts, the answers to them, and whether reuse was exact. A prompt may begin as what
    the engine holds, with the answer or a part of it."""
    asked: list[tuple[list[int], list[int], bool]] = []
    held: list[int] = []
    for _ in range(draw(st.integers(1, 6))):
        shared = draw(st.integers(0, len(held)) | st.just(len(held)))
        more = draw(st.integers(1, 400))
        prompt = held[:shared] + [draw(st.integers(0, 1))] * more
        answer = [7] * draw(st.integers(0, 80))
        asked.append((prompt, answer, draw(st.booleans())))
        held = prompt + answer
    return asked


@given(conversations(), st.sampled_from([128, 256, 512]))
def test_exact_reuse_computes_the_same_as_a_run_from_nothing(
    asked: list[tuple[list[int], list[int], bool]], batch: int
) -> None:
    engine, known = RoundingEngine(batch), Held()
    for prompt, answer, exact in asked:
        held = Held(engine.tokens, min(known.exact, common_prefix(known.tokens, engine.tokens)))
        kept = keepable(held, prompt, Memory(), exact=exact)
        logits = engine.compute(prompt, kept)
        if exact:
            assert logits == RoundingEngine(batch).compute(prompt, 0)
        known = after_prompt(Held(prompt[:kept], min(held.exact, kept)), kept, prompt)
        engine.answer(answer)


def test_exact_reuse_does_reuse() -> None:
    prompt = list(range(1000))
    held = after_prompt(Held(), 0, prompt)
    assert keepable(held, [*prompt, 1, 2, 3], Memory(), exact=True) >= 1000 - 2 * ROWS
    assert keepable(held, prompt, Memory(), exact=True) >= 1000 - 2 * ROWS
