"""A command line that invoke's parser refuses, explained: what, why, what to type instead."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Sequence

from invoke.exceptions import ParseError

from smolpc.cli.namespace import commands, namespace
from smolpc.errors import UsageError

UNKNOWN = re.compile(r"No idea what '?(.+?)'? is!?$")
VALUE = re.compile(r"Flag <Argument: ([\w-]+).*needed value", re.DOTALL)
# invoke's words -> ours
PLAIN = (
    (
        re.compile(r".*required positional arguments: (.+)", re.DOTALL),
        r"a value is missing: \1",
        "it has no default",
    ),
    (
        re.compile(r"invalid literal for int.*: (.+)"),
        r"\1 is not a whole number",
        "the option before it takes one",
    ),
    (
        re.compile(r"could not convert string to float: (.+)"),
        r"\1 is not a number",
        "the option before it takes one",
    ),
)


def explained(error: ParseError | ValueError, argv: Sequence[str]) -> UsageError:
    """The error for people. `argv` is the whole command line."""
    text = str(error)
    command = _command(error, argv)
    if match := UNKNOWN.match(text):
        return unknown(match[1], command)
    why = ""
    if match := VALUE.match(text):
        text = f"the option --{match[1].replace('_', '-')} needs a value"
        meanings = getattr(namespace[command].body, "options", {}) if command else {}
        why = meanings.get(match[1].replace("-", "_"), "")
    for pattern, words, reason in PLAIN:
        if pattern.match(text):
            text, why = pattern.sub(words, text), reason
    return UsageError(text, why=why, next_step=_help(command))


def _command(error: ParseError | ValueError, argv: Sequence[str]) -> str:
    """The command that was being read; "" when none was."""
    context = getattr(error, "context", None)
    if context is not None:
        return context.name or ""
    return next((word for word in argv if word in commands()), "")


def _help(command: str) -> str:
    return f"smolpc --help {command}" if command else "smolpc --help"


def unknown(word: str, command: str = "") -> UsageError:
    """The error for a word that is no command, and no option of `command`."""
    if word.startswith("-"):
        return _unknown_option(word, command)
    known = sorted(commands())
    group = [one for one in known if one.startswith(f"{word}.")]
    if group:
        return UsageError(
            f"'{word}' is no command, but a group of them",
            why=f"they are written like {group[0]}",
            next_step=f"smolpc --list {word}",
        )
    if meant := _meant(word, known):
        return UsageError(
            f"there is no command '{word}'; did you mean '{meant}'?",
            why=f"it is none of the {len(namespace.task_names)} that smolpc --list shows",
            next_step=_help(meant),
        )
    if command:
        return UsageError(
            f"smolpc {command} does not know what to do with '{word}'",
            why="it is no option of it, and no other command",
            next_step=_help(command),
        )
    return UsageError(
        f"there is no command '{word}'",
        why=f"it is none of the {len(namespace.task_names)} that smolpc --list shows",
        next_step="smolpc --list",
    )


def _meant(word: str, known: list[str]) -> str:
    """The command that was probably meant: "models.pull" for "models.pul" and "pull"."""
    close = difflib.get_close_matches(word.lower().replace("_", "-"), known, n=1)
    ends = [one for one in known if one.rpartition(".")[2] == word.lower()]
    return close[0] if close else ends[0] if len(ends) == 1 else ""


def _unknown_option(word: str, command: str) -> UsageError:
    from smolpc.catalog.reading import did_you_mean

    if not command:
        return UsageError(
            f"smolpc has no option '{word}'",
            why="the options of a command stand behind its name",
            next_step=_help(""),
        )
    _, *names = inspect.signature(namespace[command].body).parameters  # without the console
    options = [f"--{name.replace('_', '-')}" for name in names]
    return UsageError(
        f"smolpc {command} has no option '{word}'{did_you_mean(word, options)}",
        why=f"its options are: {', '.join(options) or 'none'}",
        next_step=_help(command),
    )
