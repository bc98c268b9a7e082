"""A whole run with players that need no model: when it ends, and what is kept."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from smolpc.bench import conduct, machine, rerun, run
from smolpc.bench.lineup import Lineup
from smolpc.bench.wishes import Wish, wishes
from smolpc.catalog import load_catalog
from smolpc.console import Silent
from smolpc.errors import PrerequisiteError
from smolpc.schema.bench import BenchResult
from tests.bench.players.fake import Fake
from tests.bench.results import host

CHAT = load_catalog().scenarios["short-chat"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "PAUSE", 0.0)
    monkeypatch.setattr(machine, "anchor", lambda _: 0.02)


class FakeLineup(Lineup):
    """Players that answer at known rates, for any wish."""

    def __init__(self, noise: float = 0.01, breaks_after: int = 0) -> None:
        self.host, self.context, self.model = host(), 4096, "m"
        self.noise, self.breaks_after = noise, breaks_after
        self.wanted: list[Wish] = []

    def players(self, wanted: Sequence[Wish], parallel: int = 1) -> tuple[list[Fake], int]:
        self.wanted = list(wanted)

        def rate(number: int) -> float:
            if self.breaks_after and number > self.breaks_after:
                raise PrerequisiteError("the server is gone", why="killed")
            return 100.0

        made = [Fake(f"{one.text} {one.again}", rate, self.noise) for one in wanted]
        return made, 0

    def plain(self, players: Sequence[object]) -> set[str]:
        return set()

    def files(self) -> dict[str, object]:
        return {}


def bench(line: FakeLineup, *players: str, blocks: int = 12) -> BenchResult:
    wanted = wishes(players)
    return conduct.bench(line, wanted, [CHAT], seconds=60, blocks=blocks, reporter=Silent())


def blocks_of(result: BenchResult) -> int:
    return len({one.block for one in result.answers})


def test_it_ends_as_soon_as_the_intervals_are_narrow() -> None:
    assert blocks_of(bench(FakeLineup(noise=1e-4), "llamacpp", "llama-bench")) == 6


def test_a_single_player_is_measured_until_its_figures_are_sure() -> None:
    assert blocks_of(bench(FakeLineup(noise=1e-4), "llamacpp")) == 6
    assert blocks_of(bench(FakeLineup(noise=0.2), "llamacpp")) == 12


def test_disturbed_blocks_do_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first six blocks are disturbed: nothing counts, so nothing is sure."""
    blocks = iter([2.0] * 6 + [0.0] * 50)
    monkeypatch.setattr(machine.Others, "busy", lambda _: next(blocks))
    found = bench(FakeLineup(noise=1e-4), "llamacpp", "llama-bench")
    assert blocks_of(found) == 12
    assert sum(not one.flags for one in found.answers) == 12


def test_a_player_that_fails_later_loses_no_finished_block() -> None:
    found = bench(FakeLineup(breaks_after=4), "llamacpp", "llama-bench")  # warm-up, three blocks
    assert blocks_of(found) == 3
    assert "the server is gone" in found.broke
    assert any("ended early" in note for note in found.notes)
    with pytest.raises(PrerequisiteError, match="gone"):
        bench(FakeLineup(breaks_after=1), "llamacpp", "llama-bench")


def test_the_same_player_twice_stays_two_players_in_a_rerun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = FakeLineup()
    old = bench(line, "llamacpp", "llamacpp", blocks=6)
    monkeypatch.setattr(rerun, "_wish", lambda variant, *_: wishes(["llamacpp"])[0])
    new, comparisons, _ = rerun.again(old, line, seconds=2, reporter=Silent())
    assert [one.again for one in line.wanted] == [0, 1]
    assert [one.name for one in new.variants] == [one.name for one in old.variants]
    assert {one.variant for one in new.answers} == {one.name for one in old.variants}
    assert {one.variant for one in comparisons} == {one.name for one in old.variants}
