"""The console script `smolpc`: invoke's Program over our namespace, with our exit codes."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable

from invoke.exceptions import Exit, ParseError
from invoke.program import Program

from smolpc import __version__
from smolpc.cli import namespace
from smolpc.cli.app import quiet_exit
from smolpc.console import Console
from smolpc.errors import UsageError

# invoke's words -> ours
PLAIN = (
    (r"No idea what '?(.+?)'? is!?$", r"there is no command or option '\1'"),
    (r"(?s).*required positional arguments: (.+)", r"a value is missing: \1"),
    (r"Flag <Argument: (\w+).*needed value.*", r"the option --\1 needs a value"),
    (r"invalid literal for int.*: (.+)", r"\1 is not a whole number"),
    (r"could not convert string to float: (.+)", r"\1 is not a number"),
)


def plain(text: str) -> str:
    """A message of invoke's parser in words that a user knows."""
    for pattern, words in PLAIN:
        if re.match(pattern, text):
            return re.sub(pattern, words, text)
    return text


def _usage(parse: Callable[[], None]) -> None:
    try:
        parse()
    except (ParseError, ValueError) as error:
        wrong = UsageError(plain(str(error)), next_step="smolpc --list   (or: smolpc --help TASK)")
        Console().error(wrong)
        raise Exit(code=wrong.code) from error


def spelled_out(argv: list[str]) -> list[str]:
    """`models.pull NAME` as `models.pull --name NAME`, wherever the name stands: invoke itself
    knows positional arguments only where they are required."""
    for flag in ("--help", "-h"):  # `smolpc run --help` is `smolpc --help run`
        if len(argv) > 1 and flag in argv[1:] and argv[0] in namespace.task_names:
            return ["--help", argv[0]]
    full: list[str] = []
    first, valued = "", set[str]()  # of the task that the words belong to
    is_value = False
    for word in argv:
        if is_value:
            is_value = False
        elif word.startswith("-") and word != "-":
            is_value = word in valued
            if word.partition("=")[0] == f"--{first}":
                first = ""
        elif word in namespace.task_names:
            task = namespace[word]
            first = getattr(task.body, "first", "")
            options = inspect.signature(task.body).parameters.values()
            valued = {
                f"--{one.name.replace('_', '-')}" for one in options if one.annotation != "bool"
            }
        elif first:
            full.append(f"--{first}")
            first = ""
        full.append(word)
    return full


class SmolpcProgram(Program):
    """`smolpc <task>`: a wrong command line exits with 2, as every usage error does."""

    def parse_core(self, argv: list[str] | None) -> None:
        _usage(lambda: super(SmolpcProgram, self).parse_core(argv))

    def parse_tasks(self) -> None:
        _usage(super().parse_tasks)


program = SmolpcProgram(name="smolpc", binary="smolpc", namespace=namespace, version=__version__)


def main() -> None:
    """Entry point of the console script."""
    try:
        program.run([program.binary, *spelled_out(sys.argv[1:])])
        sys.stdout.flush()
    except BrokenPipeError:  # `smolpc --list | head`
        quiet_exit()
