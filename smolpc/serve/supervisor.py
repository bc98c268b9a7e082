"""Keep a server alive: start it again when it dies, later each time, and give up in the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from smolpc.console import human_seconds
from smolpc.errors import ServerError, TryAgain

FIRST, LONGEST = 1.0, 30.0  # seconds to wait before the next start
STEADY = 60.0  # seconds; whoever lived longer has recovered
TRIES = 5  # quick deaths in a row, then it is hopeless


class Server(Protocol):
    """What is looked after. See `server.LlamaServer`."""

    def start(self) -> None: ...
    def wait_healthy(self) -> None: ...
    def ended(self, seconds: float) -> int | None: ...
    def failed(self, what: str) -> ServerError: ...
    def stop(self) -> None: ...


class Restarts:
    """How long to wait before the next start. Pure: knows only what it is told."""

    def __init__(self, *, tries: int = TRIES) -> None:
        self.tries, self.quick = tries, 0

    def after(self, lived: float) -> float | None:
        """Seconds to wait, after the server died having been healthy for `lived` seconds;
        None: give up."""
        self.quick = 1 if lived >= STEADY else self.quick + 1
        if self.quick > self.tries:
            return None
        return min(FIRST * 2.0 ** (self.quick - 1), LONGEST)


def supervise(
    server: Server,
    *,
    say: Callable[[str], None],
    restarts: Restarts | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Look after a healthy `server` until an exception (Ctrl-C) ends it; `say` is told of
    every death and every return. Raises ServerError after too many quick deaths."""
    restarts = restarts or Restarts()
    healthy_since = clock()
    while True:
        code = server.ended(1.0)
        if code is None:
            continue
        lived, what = clock() - healthy_since, f"the server ended with code {code}"
        while True:
            delay = restarts.after(lived)
            if delay is None:
                raise server.failed(f"{what}, {restarts.quick} times in a row")
            say(f"{what}; it is started again in {human_seconds(delay)}")
            sleep(delay)
            try:
                server.start()
                server.wait_healthy()
                break
            except TryAgain as error:
                server.stop()
                lived, what = 0.0, error.what
        healthy_since = clock()
        say("the server is back")
