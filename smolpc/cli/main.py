"""The console script `smolpc`: invoke's Program over our namespace, with our exit codes."""

from __future__ import annotations

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


class SmolpcProgram(Program):
    """`smolpc <task>`: a wrong command line exits with 2, as every usage error does."""

    def parse_core(self, argv: list[str] | None) -> None:
        _usage(lambda: super(SmolpcProgram, self).parse_core(argv))

    def parse_tasks(self) -> None:
        _usage(super().parse_tasks)


program = SmolpcProgram(name="smolpc", binary="smolpc", namespace=namespace, version=__version__)


def main() -> None:
    """Entry point of the console script."""
    program.run()
