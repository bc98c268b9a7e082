"""How much others used of the processor, from the counters of the system."""

from __future__ import annotations

import time

from smolpc.bench import quiet


def snapshot(
    clock: float, busy: float, idle: float, stolen: float = 0, own: float = 0
) -> quiet.Snapshot:
    return quiet.Snapshot(clock, busy, idle, stolen, own)


def test_others_are_what_is_left_of_the_busy_time() -> None:
    first = snapshot(100, 50, 500)
    assert quiet.between(first, snapshot(110, 65, 505, own=10)) == (0.5, 0)
    assert quiet.between(first, snapshot(110, 59, 510, 3, own=10)) == (0, 0.3)  # no negative ones
    assert quiet.between(first, snapshot(110, 50, 500, own=10)).programs is None
    assert quiet.between(first, first).programs is None


def test_this_system_can_be_asked() -> None:
    first = quiet.snapshot(time.process_time())
    assert first.busy >= 0
    assert first.own > 0
