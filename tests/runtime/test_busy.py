"""How many threads are used on a busy machine, with a simulated scheduler."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from smolpc.runtime.busy import LOST, RETRY, Pace


class Scheduler:
    """`free` cores for our threads; each call of the engine takes some time."""

    def __init__(self, threads: int, free: float) -> None:
        self.free, self.time, self.cpu = free, 0.0, 0.0
        self.pace = Pace(threads, lambda _: None, spent=lambda: self.cpu)

    def run(self, seconds: float, step: float = 0.03) -> list[int]:
        """Compute for a while; the numbers of threads that were used."""
        used, end = [], self.time + seconds
        while self.time < end:
            self.time += step
            self.cpu += step * min(self.pace.now, self.free)
            self.pace.worked(step, self.pace.most)
            used.append(self.pace.now)
        return used


def test_a_quiet_machine_uses_all_threads() -> None:
    assert set(Scheduler(8, 8).run(20)) == {8}


def test_a_busy_core_costs_one_thread() -> None:
    machine = Scheduler(2, 1.1)
    machine.run(0.5)
    assert machine.pace.now == 1


def test_a_few_looks_are_enough_however_many_threads() -> None:
    machine = Scheduler(16, 5.0)
    machine.run(0.6)
    assert machine.pace.now == 5


def test_one_thread_is_always_used() -> None:
    assert Scheduler(4, 0.2).run(5)[-1] == 1


def test_all_threads_come_back_when_the_machine_is_free_again() -> None:
    machine = Scheduler(4, 1.0)
    machine.run(10)
    machine.free = 4.0
    machine.run(RETRY[1] + 5)
    assert machine.pace.now == 4


def test_trying_again_costs_little_on_a_machine_that_stays_busy() -> None:
    used = Scheduler(2, 1.0).run(60)
    assert used.count(2) / len(used) < 0.05


def test_waiting_between_answers_does_not_count() -> None:
    machine = Scheduler(2, 2)
    machine.run(1)
    machine.time += 100  # the user reads; nothing is computed
    assert set(machine.run(1)) == {2}


def test_what_was_computed_between_answers_does_not_count_either() -> None:
    machine = Scheduler(2, 2)
    machine.run(1)
    machine.cpu += 100
    machine.pace.begin()
    machine.free = 1.0
    assert machine.run(0.4)[-1] == 1


@given(st.integers(1, 64), st.floats(0.1, 64), st.floats(0.001, 0.5))
@settings(max_examples=100)
def test_it_settles_at_what_is_free(threads: int, free: float, step: float) -> None:
    machine = Scheduler(threads, free)
    used = machine.run(20, step)
    assert all(1 <= count <= threads for count in used)
    settled = machine.pace.now
    assert settled <= max(1, int(free + LOST)) + 1  # one more may be tried just now
    if free >= threads:
        assert settled == threads


def test_batches_with_fewer_threads_are_no_loss() -> None:
    """Guesses are checked by the threads for prompts, of which there may be fewer."""
    machine = Scheduler(8, 8)
    for call in range(400):
        threads = 4 if call % 2 else 8
        machine.cpu += 0.03 * min(machine.pace.now, threads)
        machine.pace.worked(0.03, threads)
    assert machine.pace.now == 8
