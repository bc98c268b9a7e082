"""Of the engine's chatter the last warnings and errors are kept."""

from __future__ import annotations

from smolpc.runtime.log import CONTINUED, ERROR, KEPT_LINES, EngineLog

INFO = 2


def test_only_warnings_and_errors_are_kept_and_continued() -> None:
    log = EngineLog()
    log.add(INFO, "loading\n")
    log.add(CONTINUED, "....\n")
    log.add(ERROR, "tensor 'x' is missing\n")
    log.add(CONTINUED, "in file y\n")
    assert log.tail() == "tensor 'x' is missing; in file y"


def test_it_forgets_the_oldest() -> None:
    log = EngineLog()
    for number in range(1000):
        log.add(ERROR, f"error {number}\n")
    assert len(log.lines) == KEPT_LINES
    assert log.tail(1) == "error 999"
