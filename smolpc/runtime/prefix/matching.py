"""Which tokens of a prompt stay in the context: pure rules, no engine.

The engine rounds differently in a small batch than in a large one (another attention kernel,
other rows at the end of a matrix product), and the reused rows of an answer were computed one
by one. So reuse could change a later word. *Exact* reuse keeps only rows that a run from
nothing would have computed in the same way: prompt rows in whole groups of ROWS, with at least
ROWS left to compute. On the processor the answer is then the same with and without reuse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ROWS = 64  # ggml-cpu's attention takes whole tiles of 64 rows; fewer rows go another way


@dataclass(frozen=True)
class Held:
    """The tokens in the context, and how many of the first ones were computed as a run from
    nothing would, if only whole groups of ROWS are counted."""

    tokens: Sequence[int] = ()
    exact: int = 0


@dataclass(frozen=True)
class Memory:
    """What a model's memory can do. `cuts`: it can forget a tail (recurrent ones cannot).
    `window`: tokens of its attention window (0: none). `oldest`: the first position that it
    still holds, where what left the window is dropped."""

    cuts: bool = True
    window: int = 0
    oldest: int = 0

    def can_stop_at(self, count: int, held: int) -> bool:
        """Whether it can go on after the first `count` of `held` tokens."""
        if count == held:
            return True
        return self.cuts and (self.oldest <= 0 or self.oldest <= count - self.window)


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many leading items are equal."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def keepable(held: Held, wanted: Sequence[int], memory: Memory, *, exact: bool) -> int:
    """How many tokens of the context stay for the prompt `wanted`.

    Fewer than `wanted` has: the last one must be computed, its logits choose the answer.
    """
    shared = common_prefix(held.tokens, wanted)
    most = max(0, min(shared, len(wanted) - 1))
    if exact:
        most = max(0, min(most, held.exact, len(wanted) - ROWS)) // ROWS * ROWS
    return most if memory.can_stop_at(most, len(held.tokens)) else 0


def after_prompt(before: Held, kept: int, wanted: Sequence[int]) -> Held:
    """What the context holds when `wanted` was computed after `kept` tokens of `before`."""
    as_from_nothing = kept <= before.exact and kept % ROWS == 0
    return Held(tuple(wanted), len(wanted) if as_from_nothing else min(kept, before.exact))


def batches(count: int, most: int) -> Iterator[int]:
    """Sizes of the batches for `count` prompt tokens: at most `most` each, in whole groups of
    ROWS, and no small one at the end, which would be rounded in another way."""
    most -= most % ROWS if most > ROWS else 0
    while count > most:
        size = most - ROWS if count - most < ROWS and most >= 2 * ROWS else most
        yield size
        count -= size
    if count:
        yield count
