"""Who waits for a model gets it in the order of arrival, or can give up."""

from __future__ import annotations

import threading
import time

import pytest

from smolpc.errors import UsageError
from smolpc.runtime.turns import Turns


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


def test_a_thread_that_would_wait_for_itself_is_told() -> None:
    turns = Turns()
    turns.take(lambda: False)
    with pytest.raises(UsageError, match="unfinished"):
        turns.take(lambda: False)
    turns.give()
    assert turns.take(lambda: False)
