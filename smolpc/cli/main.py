"""The console script `smolpc`: invoke's Program over our namespace, with our exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable

from invoke.exceptions import Exit, ParseError
from invoke.program import Program

from smolpc import __version__
from smolpc.cli import namespace
from smolpc.console import Console
from smolpc.errors import UsageError


def _usage(parse: Callable[[], None]) -> None:
    try:
        parse()
    except ParseError as error:
        wrong = UsageError(str(error), next_step="smolpc --list   (or: smolpc --help TASK)")
        Console().error(wrong)
        raise Exit(code=wrong.code) from error


def spelled_out(argv: list[str]) -> list[str]:
    """`models.pull NAME` as `models.pull --name NAME`: invoke itself knows positional
    arguments only where they are required."""
    full = list(argv)
    for index in range(len(argv) - 2, -1, -1):
        task, value = argv[index], argv[index + 1]
        if task in namespace.task_names and not value.startswith("-"):
            first = getattr(namespace[task].body, "first", "")
            if first and value not in namespace.task_names:
                full.insert(index + 1, f"--{first}")
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
    program.run([program.binary, *spelled_out(sys.argv[1:])])
