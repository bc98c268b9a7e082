"""Which blocks do not count, because the machine was busy or changed its speed. Pure.

A small fixed piece of work (the anchor) is timed before and after each block. Only the faster
half of the anchors says what is usual: whatever goes wrong makes a PC slower, so that half is
right even when most of the run was disturbed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

from smolpc.schema.bench import Anchor, Answer, Condition

BUSY = 0.3  # processors that others use; above this a block does not count
NOTICED = 0.1  # processors that others use, enough to blame them for a slow anchor
SLOW = 1.25  # times the usual anchor
CHANGED = 1.15  # between the anchors before and after one block

WHY = {
    "load": "other programs used the processor",
    "drift": "the PC became slower or faster (heat, power saving, other programs)",
}


def usual(anchors: Iterable[Anchor], conditions: Iterable[Condition] = ()) -> float | None:
    """Seconds of the anchor when nothing disturbs: the median of the faster half of the blocks
    that others left alone. None without anchors."""
    busy = {one.block for one in conditions if one.other_cpu > BUSY}
    known = list(anchors)
    quiet = [one.seconds for one in known if one.block not in busy]
    ordered = sorted(quiet or [one.seconds for one in known])
    return median(ordered[: (len(ordered) + 1) // 2]) if ordered else None


def judge(
    anchors: Sequence[Anchor], conditions: Sequence[Condition] = ()
) -> dict[int, tuple[str, ...]]:
    """The flags of each block that does not count, by block."""
    normal = usual(anchors, conditions)
    others = {one.block: one.other_cpu for one in conditions}
    seconds: dict[int, list[float]] = {}
    for one in sorted(anchors, key=lambda anchor: anchor.at):
        seconds.setdefault(one.block, []).append(one.seconds)
    found = {}
    for block in sorted({*others, *seconds}):
        flags = _flags(seconds.get(block, []), normal, others.get(block, 0.0))
        if flags:
            found[block] = flags
    return found


def _flags(seconds: Sequence[float], normal: float | None, others: float) -> tuple[str, ...]:
    slow = bool(seconds and normal and max(seconds) > SLOW * normal)
    fast = bool(seconds and normal and SLOW * min(seconds) < normal)
    changed = bool(seconds) and max(seconds) > CHANGED * min(seconds)
    load = others > BUSY or (others > NOTICED and slow)
    drift = (slow or fast or changed) and not load
    return ("load",) * load + ("drift",) * drift


def mark(
    answers: Sequence[Answer], anchors: Sequence[Anchor], conditions: Sequence[Condition] = ()
) -> tuple[tuple[Answer, ...], tuple[str, ...]]:
    """The answers with the flags of their block added to their own, and notes for the reader:
    how many blocks do not count, and why."""
    flags = judge(anchors, conditions)
    marked = tuple(
        msgspec.structs.replace(
            one, flags=tuple(dict.fromkeys((*one.flags, *flags.get(one.block, ()))))
        )
        for one in answers
    )
    return marked, _notes(flags, {one.block for one in answers})


def _notes(flags: dict[int, tuple[str, ...]], blocks: set[int]) -> tuple[str, ...]:
    notes = []
    for flag, why in WHY.items():
        hit = sum(flag in flags.get(block, ()) for block in blocks)
        if hit:
            verb = "does" if hit == 1 else "do"
            notes.append(f"{hit} of {len(blocks)} blocks {verb} not count: {why}")
    if blocks and all(block in flags for block in blocks):
        notes.append("nothing can be said: close other programs and measure again")
    return tuple(notes)
