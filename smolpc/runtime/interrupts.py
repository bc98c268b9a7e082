"""Requests to end: what SIGTERM and SIGHUP raise, and Ctrl-C during a long call into the engine.

Python runs its own handler only between its instructions, so the exception would come
late, or inside a callback of the engine, where it is lost.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TERMINATION = tuple(signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def termination_raises(error: type[BaseException]) -> Iterator[None]:
    """A service manager's SIGTERM and a closed terminal raise `error` in the main thread, unless
    they are ignored (nohup). In another thread nothing changes."""

    def end(_: int, __: FrameType | None) -> None:
        raise error

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = [one for one in TERMINATION if signal.getsignal(one) is not signal.SIG_IGN]
    before = {one: signal.signal(one, end) for one in wanted}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _signals() -> list[signal.Signals]:
    """Ctrl-C, and the others that raise in Python now because somebody asked for it."""
    return [signal.SIGINT, *(one for one in TERMINATION if callable(signal.getsignal(one)))]


@contextmanager
def ctrl_c_noted() -> Iterator[threading.Event]:
    """Note Ctrl-C in the event, for callbacks to look at; raise KeyboardInterrupt at the end.

    The same for SIGTERM and SIGHUP where they raise: what they raise comes at the end. Outside
    the main thread, which alone receives signals, the event is never set.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    terminated: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        pressed.set()
        if number != signal.SIGINT:
            terminated.append(number)

    before = {one: signal.signal(one, note) for one in _signals()}
    try:
        yield pressed
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        for number in terminated:
            signal.raise_signal(number)
    if pressed.is_set():
        raise KeyboardInterrupt
