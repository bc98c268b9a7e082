"""How many threads, and what Ctrl-C does in a long call."""

from __future__ import annotations

import os
import signal

import msgspec
import pytest

from smolpc.runtime.interrupts import ctrl_c_noted
from smolpc.runtime.settings import fit_threads
from tests.machines import hosts

CPU = hosts()["ryzen-5600g-radeon-ubuntu24"].cpu  # 6 cores, 12 threads


def test_the_default_is_one_thread_per_physical_core() -> None:
    assert fit_threads(0, CPU) == (6, "")


def test_more_threads_than_processors_are_cut_and_that_is_said() -> None:
    used, note = fit_threads(64, CPU)
    assert used == 12
    assert "64" in note


def test_a_limit_of_the_container_counts() -> None:
    assert fit_threads(0, msgspec.structs.replace(CPU, usable_cores=2.5))[0] == 2


def test_ctrl_c_is_noted_at_once_and_raised_at_the_end() -> None:
    with pytest.raises(KeyboardInterrupt), ctrl_c_noted() as pressed:
        os.kill(os.getpid(), signal.SIGINT)
        assert pressed.is_set()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_nothing_happens_without_ctrl_c() -> None:
    with ctrl_c_noted() as pressed:
        assert not pressed.is_set()
