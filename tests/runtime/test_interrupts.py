"""Signals during a call into the engine: noted for its callbacks, raised when it is over."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

import pytest

from smolpc.runtime.interrupts import ctrl_c_noted

NAMES = ("SIGINT",) if sys.platform == "win32" else ("SIGINT", "SIGTERM", "SIGHUP")


@pytest.mark.parametrize("name", NAMES)
def test_a_signal_is_noted_and_raised_at_the_end(name: str) -> None:
    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    wanted = signal.Signals[name]
    before = signal.signal(wanted, interrupt)
    try:
        reached = False
        with pytest.raises(KeyboardInterrupt), ctrl_c_noted() as pressed:
            os.kill(os.getpid(), wanted)
            reached = pressed.wait(5)
        assert reached
        assert signal.getsignal(wanted) is interrupt
    finally:
        signal.signal(wanted, before)


def test_nothing_is_raised_without_a_signal() -> None:
    with ctrl_c_noted() as pressed:
        pass
    assert not pressed.is_set()


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_a_request_to_end_is_not_taken_for_ctrl_c() -> None:
    def end(_: int, __: FrameType | None) -> None:
        raise EOFError

    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(EOFError), ctrl_c_noted() as pressed:
            os.kill(os.getpid(), signal.SIGTERM)
            assert pressed.wait(5)
            raise KeyboardInterrupt  # as the aborted prompt does
    finally:
        signal.signal(signal.SIGTERM, before)
