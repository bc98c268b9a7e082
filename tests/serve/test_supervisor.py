"""A server that dies is started again, with a simulated server and clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.errors import ServerError
from smolpc.serve.supervisor import LONGEST, STEADY, Restarts, supervise


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Simulated:
    """A server that lives for each of `lives` seconds in turn, then gets Ctrl-C. A life of -1
    is a start that fails."""

    def __init__(self, clock: Clock, lives: list[float]) -> None:
        self.clock, self.lives = clock, lives
        self.life = lives.pop(0)
        self.starts: list[float] = []
        self.running = True

    def start(self) -> None:
        assert not self.running, "two servers at the same time"
        self.starts.append(self.clock.now)
        self.running = True
        if not self.lives:
            raise KeyboardInterrupt
        self.life = self.lives.pop(0)

    def wait_healthy(self) -> None:
        if self.life < 0:
            raise self.failed("not ready")

    def ended(self, seconds: float) -> int | None:
        if self.life > seconds:
            self.life -= seconds
            self.clock.now += seconds
            return None
        self.clock.now += self.life
        self.running = False
        return 137

    def failed(self, what: str) -> ServerError:
        return ServerError(what, why="the log says so")

    def stop(self) -> None:
        self.running = False


def run(lives: list[float], tries: int = 5) -> tuple[Simulated, list[str], BaseException]:
    clock, said = Clock(), list[str]()
    server = Simulated(clock, lives)
    with pytest.raises((ServerError, KeyboardInterrupt)) as caught:
        supervise(
            server,
            say=said.append,
            restarts=Restarts(tries=tries),
            clock=clock,
            sleep=clock.sleep,
        )
    return server, said, caught.value


def test_a_dead_server_comes_back_later_each_time() -> None:
    server, said, end = run([10, 0, 0, 0])
    assert isinstance(end, KeyboardInterrupt)
    assert server.starts == [11, 13, 17, 25]
    assert said[0] == "the server ended with code 137; it is started again in 1 s"
    assert said[1] == "the server is back"


def test_a_steady_server_starts_anew() -> None:
    server, _, _ = run([0, 0, STEADY, 0])
    first, second, third, fourth = server.starts
    assert (first, second - first) == (1, 2)
    assert (third - second - STEADY, fourth - third) == (1, 2)


def test_it_gives_up_with_the_log() -> None:
    server, _, end = run([0] * 9)
    assert isinstance(end, ServerError)
    assert (end.code, end.why, len(server.starts)) == (10, "the log says so", 5)
    assert not server.running


def test_a_failed_start_counts_and_leaves_nothing_behind() -> None:
    server, said, end = run([0, -1, -1, 5], tries=9)
    assert isinstance(end, KeyboardInterrupt)
    assert said[1] == "not ready; it is started again in 2 s"
    assert said[3] == "the server is back"
    assert len(server.starts) == 4


@given(st.lists(st.floats(0, STEADY * 2), max_size=40), st.integers(1, 20))
def test_waits_grow_within_limits(lives: list[float], tries: int) -> None:
    restarts, before, quick = Restarts(tries=tries), 0.0, 0
    for lived in lives:
        delay = restarts.after(lived)
        quick = 1 if lived >= STEADY else quick + 1
        if delay is None:
            assert quick > tries
            return
        assert 1 <= delay <= LONGEST
        assert delay >= before or lived >= STEADY
        before = delay
