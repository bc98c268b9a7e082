"""The console script `smolpc`: invoke's Program over our namespace, with our exit codes."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable

from invoke.exceptions import Exit, ParseError
from invoke.program import Program

from smolpc import __version__
from smolpc.cli.namespace import commands, namespace
from smolpc.console import Console, quiet_exit
from smolpc.errors import Interrupted


def _usage(parse: Callable[[], None], argv: list[str]) -> None:
    try:
        parse()
    except (ParseError, ValueError) as error:
        from smolpc.cli import mistyped

        wrong = mistyped.explained(error, argv)
        Console().error(wrong)
        raise Exit(code=wrong.code) from error


def spelled_out(argv: list[str]) -> list[str]:
    """`models.pull NAME` as `models.pull --name NAME`, wherever the name stands: invoke itself
    knows positional arguments only where they are required."""
    known = commands()
    for flag in ("--help", "-h"):  # `smolpc run --help` is `smolpc --help run`
        if len(argv) > 1 and flag in argv[1:] and argv[0] in known:
            return ["--help", argv[0]]
    full: list[str] = []
    firsts, valued = list[str](), set[str]()  # of the task that the words belong to
    is_value = False
    for word in argv:
        if is_value:
            is_value = False
        elif word.startswith("-") and word != "-":
            is_value = word in valued
            given = word.partition("=")[0].removeprefix("--")
            firsts = [name for name in firsts if name != given]
        elif word in known:
            task = namespace[word]
            firsts = getattr(task.body, "first", "").split()
            options = inspect.signature(task.body).parameters.values()
            valued = {
                f"--{one.name.replace('_', '-')}" for one in options if one.annotation != "bool"
            }
        elif firsts:
            full.append(f"--{firsts.pop(0)}")
        full.append(word)
    return full


class SmolpcProgram(Program):
    """`smolpc <task>`: a wrong command line exits with 2, as every usage error does."""

    def parse_core(self, argv: list[str] | None) -> None:
        _usage(lambda: super(SmolpcProgram, self).parse_core(argv), argv or [])

    def parse_tasks(self) -> None:
        _usage(super().parse_tasks, self.argv)

    def parse_cleanup(self) -> None:
        _usage(super().parse_cleanup, self.argv)  # it refuses `--help nosuch`


program = SmolpcProgram(name="smolpc", binary="smolpc", namespace=namespace, version=__version__)


def _open_streams() -> None:
    """Streams that the caller has closed lead nowhere. Else the next file that is opened, such as
    a model, would get the number of the screen, and what libraries print would go into it."""
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(spare, True)
    os.close(spare)
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays
            setattr(sys, name, stream)


def main() -> None:
    """Entry point of the console script."""
    _open_streams()
    try:
        program.run([program.binary, *spelled_out(sys.argv[1:])])
        sys.stdout.flush()
    except BrokenPipeError:  # `smolpc --list | head`
        quiet_exit()
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # invoke makes 1 of it
            raise SystemExit(Interrupted.code) from None
        raise
