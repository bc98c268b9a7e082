"""Handing out work: every byte once, whatever the streams do."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.net.fetch.board import SMALLEST, Board, Claim
from smolpc.net.fetch.mirror import Mirror
from smolpc.net.fetch.spans import Spans

CHUNK = 64


class World:
    """A board, its mirrors and what it logged."""

    def __init__(self, size: int | None, chunk: int = CHUNK) -> None:
        self.mirrors = [Mirror("http://a.example/m", 0), Mirror("http://b.example/m", 1)]
        self.logged: dict[int, Spans] = {0: Spans(), 1: Spans()}
        self.board = Board(size, chunk, self.log)

    def log(self, mirror: int, start: int, end: int) -> None:
        self.logged[mirror].add(start, end)

    def claim(self, streams: int, rate: float = 0.0, mirror: int = 0) -> Claim | None:
        return self.board.claim(streams, rate, lambda _: self.mirrors[mirror])

    def fetch(self, claim: Claim, count: int) -> int:
        granted = self.board.hold(claim, count)
        assert self.board.advance(claim, granted)
        return granted


@given(
    st.integers(1, 5000), st.integers(1, 8), st.integers(1, 400), st.randoms(use_true_random=False)
)
def test_every_byte_is_fetched_exactly_once(
    size: int, streams: int, chunk: int, chance: random.Random
):
    world = World(size, chunk)
    running: list[Claim] = []
    written: list[int] = [0] * size
    steps = 0
    while not world.board.complete:
        steps += 1
        assert steps < 50_000
        if len(running) < streams and (claim := world.claim(streams, 500.0)) is not None:
            running.append(claim)
        claim = chance.choice(running)
        start = claim.position
        for byte in range(start, start + world.fetch(claim, chance.randint(1, 300))):
            written[byte] += 1
        if claim.position >= claim.end or chance.random() < 0.1:
            world.board.release(claim)
            running.remove(claim)
        spans = sorted((one.position, one.end) for one in running)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    assert set(written) == {1}
    for claim in running:
        world.board.release(claim)
    assert list(world.logged[0]) == [(0, size)]


def test_one_stream_takes_all_that_is_missing_in_front():
    world = World(1000)
    world.board.restore({0: Spans([(100, 200)])})
    first = world.claim(1)
    assert first is not None
    assert (first.position, first.end) == (0, 100)
    second = world.claim(1)
    assert second is not None
    assert (second.position, second.end) == (200, 1000)
    assert world.claim(1) is None


def test_a_new_stream_takes_from_the_largest_and_close_to_the_front():
    world = World(1 << 30, 8 << 20)
    first = world.claim(1)
    assert first is not None
    world.fetch(first, 1 << 20)
    second = world.claim(2, 40e6)
    assert second is not None
    assert first.end == second.position
    assert first.end - first.position <= 40e6  # two seconds of one stream
    third = world.claim(3, 40e6)
    assert third is not None
    assert third.position == second.end  # the hash stays close behind


def test_pieces_get_smaller_towards_the_end():
    world = World(200 << 20, 8 << 20)
    lengths = []
    while (claim := world.claim(4, 100e6)) is not None and len(lengths) < 100:
        lengths.append(claim.end - claim.position)
        world.fetch(claim, 1 << 40)
        world.board.release(claim)
    assert lengths[0] > lengths[-1]
    assert lengths[-2] == SMALLEST
    assert world.board.complete


def test_bytes_being_written_are_never_given_away():
    world = World(1000, 10)
    claim = world.claim(1)
    assert claim is not None
    assert world.board.hold(claim, 700) == 700
    other = world.claim(2)
    assert other is not None
    assert other.position >= 700
    assert world.board.advance(claim, 700)


@pytest.mark.parametrize("count", [1, CHUNK // 2 - 1, CHUNK // 2, CHUNK, 3 * CHUNK])
def test_less_than_half_a_chunk_is_not_logged_yet(count: int):
    world = World(10_000)
    claim = world.claim(1)
    assert claim is not None
    for _ in range(count):
        world.fetch(claim, 1)
    assert count - world.logged[0].total < CHUNK / 2
    world.board.release(claim)
    assert world.logged[0].total == count


def test_bytes_of_an_older_version_do_not_count():
    world = World(1000)
    old, other = world.claim(2, mirror=0), world.claim(2, mirror=1)
    assert old is not None
    assert other is not None
    world.fetch(old, 50)
    world.fetch(other, 50)
    world.mirrors[0].version += 1
    world.board.take_back_mirror(0)
    assert not world.board.advance(old, world.board.hold(old, 10))
    world.board.release(old)
    assert list(world.board.done) == [(other.position - 50, other.position)]
    assert world.board.taken_back == 1


def test_a_wrong_chunk_is_fetched_alone_and_elsewhere():
    world = World(1000)
    first = world.claim(1)
    assert first is not None
    world.fetch(first, 1000)
    world.board.release(first)
    assert world.board.take_back(100, 200) == {0}
    assert world.board.take_back(200, 300) == {0}
    world.board.bad = {100: frozenset({0}), 200: frozenset({0})}
    avoided = []

    def pick(avoid: frozenset[int]) -> Mirror:
        avoided.append(avoid)
        return world.mirrors[1]

    for start in (100, 200):
        claim = world.board.claim(1, 0.0, pick)
        assert claim is not None
        assert (claim.position, claim.end) == (start, start + 100)
    assert avoided == [{0}, {0}]


def test_a_cut_is_undone_where_ranges_are_not_served():
    world = World(1000, 10)
    claim = world.claim(1)
    assert claim is not None
    world.fetch(claim, 10)
    other = world.claim(2, mirror=1)
    assert other is not None
    assert claim.end < 1000
    world.board.release(other)
    world.board.mend(world.mirrors[0])
    assert claim.end == 1000


def test_a_file_of_unknown_size_is_one_piece():
    world = World(None)
    claim = world.claim(1)
    assert claim is not None
    assert world.claim(4) is None
    world.fetch(claim, 123)
    assert not world.board.complete
    world.board.learned_size(123)
    assert world.board.complete
