"""What every command shares: settings, console, errors to exit codes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task, task

from smolpc.console import Console, human_bytes, quiet_exit
from smolpc.errors import Interrupted, PrerequisiteError, SmolpcError, TrustError
from smolpc.runtime.interrupts import termination_raises
from smolpc.schema.report import Checked, Garbage, GcReport, VerifyReport

JSON = "print one JSON object instead of text (schemas: docs/schemas)"


class Command(Task[Callable[..., None]]):
    """A task that still knows its help texts when it is asked a second time."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        texts = dict(self.help)  # invoke takes them out, one by one
        found: list[Argument] = super().get_arguments(ignore_unknown_help)
        self.help = texts
        return found


def command(
    name: str | None = None,
    *,
    help: dict[str, str] | None = None,  # noqa: A002 - invoke's word
    first: str = "",
    repeatable: Sequence[str] = (),
    events: bool = False,
) -> Callable[[Callable[..., None]], Task[Callable[..., None]]]:
    """Make an invoke task of `function(console, ...)`.

    `first` names an option whose flag may be left out when it comes first, or several, in their
    order: `smolpc models.pull NAME` (see `main.spelled_out`). Those in `repeatable` may be given
    several times. With `events`, `--json` reports the progress on stderr, as JSON lines. A
    SmolpcError becomes its message and its exit code; Ctrl-C becomes `Interrupted`.
    """

    def wrap(function: Callable[..., None]) -> Task[Callable[..., None]]:
        @functools.wraps(function)
        def run(_: Context, **options: Any) -> None:
            console = Console(json=bool(options.get("json")), events=events)
            try:
                with termination_raises(KeyboardInterrupt):  # the same way out as Ctrl-C
                    function(console, **options)
            except SmolpcError as error:
                console.error(error)
                raise Exit(code=error.code) from error
            except KeyboardInterrupt as error:
                stopped = Interrupted("interrupted", next_step="run the same command again")
                console.error(stopped)
                raise Exit(code=stopped.code) from error
            except BrokenPipeError as error:  # `smolpc profiles.list | head`
                quiet_exit()
                raise Exit(code=0) from error
            except OSError as error:
                from smolpc import files

                place = error.filename or "."
                what = f"use {place}" if error.filename else "write"
                known = files.explained(error, Path(place), what)
                if known is None and not error.filename:
                    raise
                known = known or PrerequisiteError(
                    f"cannot use {place}",
                    why=error.strerror or str(error),
                    next_step="look at that place, or choose another one",
                )
                console.error(known)
                raise Exit(code=known.code) from error

        texts = dict(help or {})
        if "json" in run.__wrapped__.__annotations__:
            texts["json"] = JSON + ("; progress as JSON lines on stderr" if events else "")
        run.first = first  # type: ignore[attr-defined]
        run.options = dict(texts)  # type: ignore[attr-defined]
        made: Task[Callable[..., None]] = task(
            name=name,
            help=texts,
            auto_shortflags=False,
            iterable=list(repeatable),
            klass=Command,
        )(run)
        return made

    return wrap


def report_verified(
    console: Console, checked: Sequence[Checked], *, kind: str, next_step: str
) -> None:
    """Print what was verified. Anything wrong ends the command with *not trusted*."""
    bad = [item for item in checked if not item.ok]
    if console.json:
        console.emit(VerifyReport(ok=not bad, checked=tuple(checked)))
    for item in checked:
        console.print(f"{'✓' if item.ok else '✗'} {item.name}: {item.detail}")
    if not checked:
        console.print(f"there is no {kind} in the store: smolpc setup")
    if bad and console.json:
        raise Exit(code=TrustError.code)
    if bad:
        raise TrustError(
            f"not as it was stored: {kind} {', '.join(item.name for item in bad)}",
            why="; ".join(item.detail for item in bad),
            next_step=next_step,
        )


def report_removed(console: Console, items: Sequence[Garbage], *, dry_run: bool) -> None:
    """Print what was removed, or with `dry_run` what would be."""
    total = sum(item.bytes for item in items)
    if console.json:
        console.emit(GcReport(dry_run=dry_run, bytes=total, removed=tuple(items)))
    for item in items:
        console.print(f"{human_bytes(item.bytes):>10}  {item.path}   ({item.why})")
    verb = "can be freed" if dry_run else "freed"
    console.print(f"{human_bytes(total)} {verb}" if items else "nothing to remove")
