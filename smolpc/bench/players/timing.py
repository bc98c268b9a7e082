"""From the moments when pieces of an answer came to the figures of the answer. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def together(answers: Sequence[Heard]) -> Heard:
    """Answers that were asked for at the same moment, as one: what all together wrote and read in
    the time until the last one was ready. The first token is that of who waited longest, and so
    are the gaps."""
    firsts = [one.first_token for one in answers if one.first_token is not None]
    totals = [one.total for one in answers if one.total is not None]
    if len(answers) == 1 or len(firsts) < len(answers) or len(totals) < len(answers):
        return answers[0]
    total, written = max(totals), sum(one.answer_tokens for one in answers)
    read = sum(one.prompt_tokens - one.reused_tokens for one in answers)
    writing = total - min(firsts)
    return Heard(
        prompt_tokens=sum(one.prompt_tokens for one in answers),
        answer_tokens=written,
        reused_tokens=sum(one.reused_tokens for one in answers),
        drafted_tokens=sum(one.drafted_tokens for one in answers),
        accepted_tokens=sum(one.accepted_tokens for one in answers),
        first_token=max(firsts),
        prompt=read / max(firsts) if max(firsts) > 0 else None,
        decode=(written - 1) / writing if written > 1 and writing > 0 else None,
        gap_p50=_most(one.gap_p50 for one in answers),
        gap_p95=_most(one.gap_p95 for one in answers),
        gap_p99=_most(one.gap_p99 for one in answers),
        total=total,
        notes=tuple(dict.fromkeys(note for one in answers for note in one.notes)),
    )


def _most(values: Iterable[float | None]) -> float | None:
    return max((one for one in values if one is not None), default=None)


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

    `prompt_tokens` 0: the player does not tell. `answer_tokens` is its own count (0: the pieces
    tell it): a piece may be late by a token where a character is spread over two. The decode rate
    counts from the first piece to the last, so that reading the prompt is not in it. A piece of
    several tokens counts as that many equal gaps.
    """
    counted = sum(mark.tokens for mark in marks)
    total = answer_tokens or counted
    if not marks:
        notes = (*notes, "it gave an empty answer")
        return Heard(prompt_tokens=prompt_tokens, answer_tokens=total, notes=notes)
    first, last = marks[0], marks[-1]
    gaps: list[float] = []
    for before, mark in pairwise(marks):
        count = max(1, mark.tokens)
        gaps += [(mark.at - before.at) / count] * count
    gaps.sort()
    to_first, after = first.at - started, last.at - first.at
    rest, read = total - max(1, first.tokens), prompt_tokens - reused_tokens
    return Heard(
        prompt_tokens=prompt_tokens,
        answer_tokens=total,
        reused_tokens=reused_tokens,
        drafted_tokens=drafted_tokens,
        accepted_tokens=accepted_tokens,
        first_token=to_first,
        prompt=read / to_first if read > 0 and to_first > 0 else None,
        decode=rest / after if rest > 0 and after > 0 else None,
        gap_p50=percentile(gaps, 0.5) if gaps else None,
        gap_p95=percentile(gaps, 0.95) if gaps else None,
        gap_p99=percentile(gaps, 0.99) if gaps else None,
        total=last.at - started,
        notes=notes,
    )
