"""The keyboard: line editing and the history of what was typed, or lines from a pipe."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from smolpc.chat.typed import Ask
from smolpc.console import as_text
from smolpc.runtime.interrupts import termination_raises

KEPT = 1000  # lines of the input history


def history_file() -> Path:
    """What was typed in earlier chats, readable by its owner only."""
    from platformdirs import user_state_path

    return user_state_path("smolpc", appauthor=False) / "chat_history"


def is_interactive() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextlib.contextmanager
def keyboard(*, private: bool = False) -> Iterator[Ask]:
    """The function that reads a line. `private` neither reads nor writes the history. A request
    to end the process ends the input, while Ctrl-C does not."""
    with termination_raises(EOFError):
        if not is_interactive():
            if isinstance(sys.stdin, io.TextIOWrapper):
                sys.stdin.reconfigure(errors="replace")
            yield _from_pipe
            return
        with _history(None if private else history_file()):
            yield lambda prompt: as_text(input(prompt))


def _from_pipe(_: str) -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


@contextlib.contextmanager
def _history(path: Path | None) -> Iterator[None]:
    """Line editing, where Python has it, with the lines of earlier chats."""
    try:
        import readline
    except ImportError:  # Windows: the console itself edits lines
        yield
        return
    readline.clear_history()
    if path is not None:
        with contextlib.suppress(OSError):  # a first chat, or a file of another library
            readline.read_history_file(path)
    try:
        yield
    finally:
        if path is not None:
            with contextlib.suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
                path.chmod(0o600)
                readline.set_history_length(KEPT)
                readline.write_history_file(path)
