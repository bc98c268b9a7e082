"""Ollama's grammar of a Modelfile, as its own parser works: a machine of five states over
single characters. Values end at the first line break where they are complete; there are no
escapes; characters that do not print are dropped."""

from __future__ import annotations

COMMANDS = {
    *("from", "license", "template", "system", "adapter", "parameter", "message"),
    *("renderer", "parser", "requires"),
}
NIL, NAME, VALUE, PARAMETER, COMMENT = range(5)


class Wrong(Exception):
    """`ollama create` would refuse the file."""


def unquote(text: str) -> str | None:
    """The value, or None while it is not complete."""
    text = text.strip()
    for mark in ('"""', '"'):
        if text.startswith(mark):
            whole = len(text) >= 2 * len(mark) and text.endswith(mark)
            return text[len(mark) : -len(mark)] if whole else None
    return text


def parse(text: str) -> list[tuple[str, str]]:
    """Commands and values in order; a parameter's command is its name."""
    found: list[tuple[str, str]] = []
    state, buffer, command = NIL, "", ""
    for letter in text:
        space, line = letter in " \t", letter in "\r\n"
        if state == NIL:
            if letter == "#":
                state = COMMENT
            elif not (space or line):
                state, buffer = NAME, letter
        elif state == COMMENT:
            state = NIL if line else COMMENT
        elif state in (NAME, PARAMETER):
            plain = letter.isascii() and (letter.isalpha() or (letter in "0123456789_"))
            if state == NAME and space:
                command = buffer.lower()
                if command not in COMMANDS:
                    raise Wrong(f"unknown command {buffer!r}")
                state, buffer = (PARAMETER if command == "parameter" else VALUE), ""
            elif state == PARAMETER and space:
                state, command, buffer = VALUE, buffer, ""
            elif plain:
                buffer += letter
            else:
                raise Wrong(f"{letter!r} in the name of a command")
        elif line and (value := unquote(buffer)) is not None:
            found.append((command, value))
            state, buffer = NIL, ""
        elif letter.isprintable() or space or line:
            buffer += letter
    if state == VALUE:
        value = unquote(buffer)
        if value is None:
            raise Wrong("a value does not end")
        found.append((command, value))
    elif state not in (NIL, COMMENT):
        raise Wrong("it ends inside a command")
    if "from" not in dict(found):
        raise Wrong("no FROM")
    return found
