"""What a user types, line by line, as messages and commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

QUOTES = '"""'

Ask = Callable[[str], str]  # a prompt -> a line; EOFError at the end, KeyboardInterrupt for Ctrl-C


@dataclass(frozen=True)
class Typed:
    """A message to the model, or with `command` "/name" and its text."""

    text: str
    command: str = ""


def read(ask: Ask, prompt: str = "> ", more: str = ". ") -> Typed:
    """The next message or command.

    A backslash at the end of a line goes on with the next one, and so does everything between
    two triple quotes. A message that begins with a slash is written with two. Raises as `ask`
    does; a message that is not finished counts when the input ends.
    """
    line = ask(prompt)
    stripped = line.strip()
    if stripped.startswith(QUOTES):
        return Typed(_quoted(ask, stripped[len(QUOTES) :], more))
    if stripped.startswith("//"):
        return Typed(stripped[1:])
    if stripped.startswith("/"):
        name, *rest = stripped.split(None, 1)
        return Typed(rest[0] if rest else "", name.lower())
    lines = [line]
    while lines[-1].endswith("\\"):
        lines[-1] = lines[-1][:-1]
        try:
            lines.append(ask(more))
        except EOFError:
            break
    return Typed("\n".join(lines).strip())


def _quoted(ask: Ask, line: str, more: str) -> str:
    lines: list[str] = []
    while True:
        before, closed, _ = line.partition(QUOTES)
        lines.append(before)
        if closed:
            break
        try:
            line = ask(more)
        except EOFError:
            break
    return "\n".join(lines).strip("\n")
