"""The roof over a rate, and how near to it a measured rate is. Pure.

The roofline model (Williams, Waterman, Patterson, 2009): memory and cores work at the same time,
so a token takes at least as long as the slower of the two needs.
"""

from __future__ import annotations

from math import isfinite

from smolpc.schema.limit import HeldBackBy, Limit, Peaks, Resource, Share, Work

NEAR = 0.5  # of the limit; a rate below that is held back by something else


def bandwidth(work: Work, peaks: Peaks) -> float:
    """Bytes a second for this work: what is read for each step may stay in the cache."""
    if work.bytes * work.together <= peaks.cache:
        return max(peaks.near, peaks.memory)
    return peaks.memory


def bound(work: Work, peaks: Peaks) -> Limit:
    """The most tokens a second. Raises ValueError for work that costs nothing."""
    memory = work.bytes / bandwidth(work, peaks)
    arithmetic = work.integer / peaks.integer + work.half / peaks.half + work.single / peaks.single
    seconds = max(memory, arithmetic)
    if not 0 < seconds < float("inf"):
        raise ValueError(f"work of {seconds} s a token has no limit")
    by: Resource = "memory bandwidth" if memory >= arithmetic else "arithmetic"
    return Limit(
        work=work,
        rate=1 / seconds,
        limited_by=by,
        memory_seconds=memory,
        arithmetic_seconds=arithmetic,
    )


def share(rate: float, work: Work, peaks: Peaks) -> Share:
    """A measured rate (tokens a second) as a share of the limit, and what holds it back.

    "something else": neither memory nor cores are used to half of what they could do; then
    waiting, too few threads, other programs or plain instructions cost the time. Raises
    ValueError for a rate that is negative or no number.
    """
    if not (isfinite(rate) and rate >= 0):
        raise ValueError(f"{rate} is no rate")
    limit = bound(work, peaks)
    of_limit = rate / limit.rate
    held: HeldBackBy = limit.limited_by if of_limit >= NEAR else "something else"
    return Share(
        rate=rate,
        limit=limit.rate,
        of_limit=of_limit,
        of_memory=rate * limit.memory_seconds,
        of_arithmetic=rate * limit.arithmetic_seconds,
        held_back_by=held,
    )
