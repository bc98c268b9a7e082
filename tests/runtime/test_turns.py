"""Who waits for a model gets it in the order of arrival, or can give up."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from smolpc.errors import UsageError
from smolpc.runtime.turns import LOOK, Turns


def test_first_come_first_served() -> None:
    turns, order, threads = Turns(), [], []
    turns.take(lambda: False)

    def wait(number: int) -> None:
        assert turns.take(lambda: False)
        order.append(number)
        turns.give()

    for number in range(5):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        while turns.waiting <= number:
            time.sleep(0.001)
    turns.give()
    for thread in threads:
        thread.join()
    assert order == list(range(5))


def test_waiting_can_be_given_up() -> None:
    turns = Turns()
    turns.take(lambda: False)
    results = []
    thread = threading.Thread(target=lambda: results.append(turns.take(lambda: True)))
    thread.start()
    thread.join()
    assert results == [False]
    assert turns.waiting == 0


def test_a_thread_that_would_wait_for_itself_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smolpc.runtime.turns.PATIENCE", 0.05)
    turns = Turns()
    turns.take(lambda: False)
    with pytest.raises(UsageError, match="unfinished"):
        turns.take(lambda: False)
    assert turns.waiting == 0
    turns.give()
    assert turns.take(lambda: False)


def test_a_thread_may_wait_for_what_another_one_goes_on_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns = Turns()
    with ThreadPoolExecutor(1) as worker:
        assert worker.submit(turns.take, lambda: False).result()
        second = worker.submit(turns.take, lambda: False)
        while not turns.waiting and not second.done():
            time.sleep(0.001)
        turns.step()
        monkeypatch.setattr("smolpc.runtime.turns.PATIENCE", 0.0)
        time.sleep(3 * LOOK)
        turns.give()
        assert second.result(timeout=10)


def test_a_new_thread_is_not_the_one_whose_number_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system gives the number of a thread that ended to the next one, most of the time."""
    monkeypatch.setattr("smolpc.runtime.turns.PATIENCE", 0.0)
    turns = Turns()
    with ThreadPoolExecutor(1) as old:
        assert old.submit(turns.take, lambda: False).result()
    end = time.monotonic() + 3 * LOOK
    with ThreadPoolExecutor(1) as new:
        assert not new.submit(turns.take, lambda: time.monotonic() > end).result()
