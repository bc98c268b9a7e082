"""Which batches are trusted, against simulated kernels."""

from __future__ import annotations

from collections.abc import Sequence

from smolpc.runtime.speculation.exact import BATCHES, Exact


class Kernels:
    """Logits that depend on the token, and on whether it was computed in a tile of `tile`."""

    def __init__(self, tile: int, from_depth: int = 0) -> None:
        self.tile, self.from_depth, self.depth, self.calls = tile, from_depth, 0, 0

    def compute(self, batches: Sequence[Sequence[int]]) -> list[bytes]:
        self.calls += 1
        return [
            bytes([token, self._rounding(row, len(batch))])
            for batch in batches
            for row, token in enumerate(batch)
        ]

    def _rounding(self, row: int, count: int) -> int:
        return int(self.depth >= self.from_depth and row < count // self.tile * self.tile)

    def limit(self, depth: int) -> tuple[int, bool]:
        self.depth = depth
        exact = Exact(self.compute)
        exact.ensure(depth, [1, 2])
        return exact.limit(depth), exact.failed


def test_kernels_that_never_round_differently_are_trusted() -> None:
    assert Kernels(tile=100).limit(50) == (BATCHES[0], False)


def test_tiles_of_four_leave_batches_of_three() -> None:
    assert Kernels(tile=4).limit(50) == (3, True)


def test_where_every_batch_differs_none_is_trusted() -> None:
    assert Kernels(tile=2).limit(50) == (1, True)


def test_kernels_that_change_with_the_depth_are_noticed() -> None:
    kernels = Kernels(tile=2, from_depth=256)
    exact = Exact(kernels.compute)
    limits = []
    for depth in (10, 200, 256, 300, 220):
        kernels.depth = depth
        exact.ensure(depth, [1])
        limits.append(exact.limit(depth))
    assert limits == [BATCHES[0], BATCHES[0], 1, 1, BATCHES[0]]


def test_each_depth_is_tried_only_once() -> None:
    kernels = Kernels(tile=100)
    exact = Exact(kernels.compute)
    exact.ensure(300, [1])
    calls = kernels.calls
    exact.ensure(500, [1])
    assert kernels.calls == calls


def test_no_batch_reaches_into_another_depth() -> None:
    exact = Exact(Kernels(tile=100).compute)
    assert not exact.ensure(250, [1])  # too near to the next depth to be tried
    assert exact.ensure(200, [1])
    assert [exact.limit(depth) for depth in (200, 250, 255, 256)] == [BATCHES[0], 6, 1, BATCHES[0]]
