"""From the moments when pieces of an answer came to the figures of the answer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from smolpc.bench.players.protocol import Heard


class Mark(NamedTuple):
    """A piece of an answer: when it came, in seconds, and of how many tokens it is."""

    at: float
    tokens: int


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all values do not exceed (nearest rank)."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def heard(
    started: float,
    marks: Sequence[Mark],
    *,
    prompt_tokens: int,
    answer_tokens: int = 0,
    reused_tokens: int = 0,
    drafted_tokens: int = 0,
    accepted_tokens: int = 0,
    notes: tuple[str, ...] = (),
) -> Heard:
    """The figures of an answer that was asked for at `started`.

    `answer_tokens` is the player's own count (0: the pieces tell it): a piece may be late by a
    token where a character is spread over two. The decode rate counts from the first piece to
    the last, so that reading the prompt is not in it. A piece of several tokens counts as that
    many equal gaps.
    """
    counted = sum(mark.tokens for mark in marks)
    total = answer_tokens or counted
    if not marks:
        return Heard(prompt_tokens=prompt_tokens, answer_tokens=total, total=0.0, notes=notes)
    first, last = marks[0], marks[-1]
    gaps: list[float] = []
    for before, mark in pairwise(marks):
        count = max(1, mark.tokens)
        gaps += [(mark.at - before.at) / count] * count
    gaps.sort()
    to_first, after = first.at - started, last.at - first.at
    rest = total - max(1, first.tokens)
    return Heard(
        prompt_tokens=prompt_tokens,
        answer_tokens=total,
        reused_tokens=reused_tokens,
        drafted_tokens=drafted_tokens,
        accepted_tokens=accepted_tokens,
        first_token=to_first,
        prompt=(prompt_tokens - reused_tokens) / to_first if to_first > 0 else None,
        decode=rest / after if rest > 0 and after > 0 else None,
        gap_p50=percentile(gaps, 0.5) if gaps else None,
        gap_p95=percentile(gaps, 0.95) if gaps else None,
        gap_p99=percentile(gaps, 0.99) if gaps else None,
        total=last.at - started,
        notes=notes,
    )
