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

BLOCKS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from((1, 2, 60, 64, 100))), max_size=6)
TOKENS = BLOCKS.map(lambda blocks: [token for token, count in blocks for _ in range(count)])


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
    if most > ROWS:  # the same groups of rows, wherever a prompt goes on
        assert all(size % ROWS == 0 for size in sizes[:-1])


def test_exact_reuse_does_reuse() -> None:
    prompt = list(range(1000))
    held = after_prompt(Held(), 0, prompt)
    assert keepable(held, [*prompt, 1, 2, 3], Memory(), exact=True) >= 1000 - 2 * ROWS
    assert keepable(held, prompt, Memory(), exact=True) >= 1000 - 2 * ROWS
