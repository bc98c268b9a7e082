"""The only door to the screen.

Text for people goes to stdout; progress and errors go to stderr; with `--json` stdout
holds exactly one JSON object, and commands that take long write progress events, one JSON
object a line, to stderr. rich is imported only when a table or a live progress bar
is drawn on a terminal.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from smolpc.errors import SmolpcError

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

LINE_EVERY = 15.0  # seconds between progress lines when the output is not a terminal
WIDE = 110  # columns of a terminal that has room for long titles
EVENT_EVERY = 0.5  # seconds between the progress events of `--json`


def human_bytes(count: float) -> str:
    """`count` bytes for people, decimal units as disks and networks use: "98.4 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def human_seconds(seconds: float) -> str:
    """`seconds` for people: "45 s", "4 min 10 s", "1 h 5 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s" if seconds >= 1 or whole == 0 else f"{seconds:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def as_text(words: str) -> str:
    """What was typed, with '?' for bytes that are no text in the encoding of the terminal."""
    return words.encode("utf-8", "replace").decode()


def quiet_exit() -> None:
    """Let the interpreter's last flush go nowhere: the reader of our output is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class Task(Protocol):
    """One running piece of work with a known or unknown total."""

    def update(self, done: float, total: float | None = None) -> None: ...


class Reporter(Protocol):
    """Where long work reports to. Safe to use from several threads."""

    def task(self, title: str, *, total: float | None = None, unit: str = "B") -> Any: ...

    def note(self, text: str) -> None: ...

    def check(self) -> None:
        """Raise Interrupted when the work was cancelled."""


class _NoTask:
    def update(self, done: float, total: float | None = None) -> None:
        pass


class Silent:
    """Reports nothing: for libraries, tests and `--json`."""

    @contextmanager
    def task(self, title: str, *, total: float | None = None, unit: str = "B") -> Iterator[Task]:
        yield _NoTask()

    def note(self, text: str) -> None:
        pass

    def check(self) -> None:
        pass


class Cancellable:
    """A reporter whose tasks stop the work they report on once `stop` is set, in whichever
    thread: they raise what `error` makes."""

    def __init__(
        self, reporter: Reporter, stop: threading.Event, error: Callable[[], Exception]
    ) -> None:
        self.reporter, self.stop, self.error = reporter, stop, error

    @contextmanager
    def task(self, title: str, *, total: float | None = None, unit: str = "B") -> Iterator[Task]:
        with self.reporter.task(title, total=total, unit=unit) as inner:
            yield _CancellableTask(inner, self)

    def note(self, text: str) -> None:
        self.reporter.note(text)

    def check(self) -> None:
        if self.stop.is_set():
            raise self.error()


class _CancellableTask:
    def __init__(self, inner: Task, reporter: Cancellable) -> None:
        self.inner, self.reporter = inner, reporter

    def update(self, done: float, total: float | None = None) -> None:
        self.reporter.check()
        self.inner.update(done, total)


class _Counted:
    """What progress without a bar knows: how much is done, and since when."""

    def __init__(self, title: str, total: float | None, unit: str) -> None:
        self.title, self.total, self.unit = title, total, unit
        self.start = self.last = time.monotonic()
        self.done = 0.0
        self.first: float | None = None

    def note(self, done: float, total: float | None) -> None:
        self.done, self.total = done, total if total is not None else self.total
        if self.first is None:
            self.first = done

    def rate(self, now: float) -> float:
        """Per second; what was there at the first report does not count."""
        return (self.done - (self.first or 0)) / max(now - self.start, 1e-6)

    def left(self, now: float) -> float | None:
        """Seconds; None: not known."""
        rate = self.rate(now)
        return (self.total - self.done) / rate if self.total and rate > 0 else None


class _LineTask(_Counted):
    """Progress as occasional lines: rate and time left, never a bar."""

    def __init__(self, out: TextIO, title: str, total: float | None, unit: str) -> None:
        super().__init__(title, total, unit)
        self.out = out

    def update(self, done: float, total: float | None = None) -> None:
        self.note(done, total)
        now = time.monotonic()
        if now - self.last >= LINE_EVERY:
            self.last = now
            print(f"  {self.title}: {self.text(now)}", file=self.out, flush=True)

    def amount(self, count: float) -> str:
        return human_bytes(count) if self.unit == "B" else f"{count:.0f}"

    def text(self, now: float) -> str:
        rate, left = self.rate(now), self.left(now)
        said = self.amount(self.done)
        if self.total:
            said += f" of {self.amount(self.total)}"
        if self.unit != "B":
            said += f" {self.unit}"
        if rate > 0 and self.unit != "s":
            said += (
                f", {self.amount(rate)}/s" if self.unit == "B" else f", {rate:.1f} {self.unit}/s"
            )
        return said + (f", {human_seconds(left)} left" if left is not None else "")


class Lines:
    """Plain lines, for logs and pipes."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stderr

    @contextmanager
    def task(self, title: str, *, total: float | None = None, unit: str = "B") -> Iterator[Task]:
        self.note(f"{title} ...")
        task = _LineTask(self.out, title, total, unit)
        yield task
        self.note(f"{title}: done in {human_seconds(time.monotonic() - task.start)}")

    def note(self, text: str) -> None:
        self.out.write(f"{text}\n")  # one write: several threads report
        self.out.flush()

    def check(self) -> None:
        pass


class _EventTask(_Counted):
    """Progress as JSON lines, one every half a second at most."""

    def __init__(self, events: Events, title: str, total: float | None, unit: str) -> None:
        super().__init__(title, total, unit)
        self.events = events

    def update(self, done: float, total: float | None = None) -> None:
        self.note(done, total)
        if time.monotonic() - self.last >= EVENT_EVERY:
            self.report("progress")

    def report(self, event: str) -> None:
        self.last = time.monotonic()
        self.events.write(
            event=event,
            task=self.title,
            done=self.done,
            total=self.total,
            unit=self.unit,
            rate=self.rate(self.last),
            seconds_left=self.left(self.last),
        )


class Events:
    """Progress for programs: one JSON object a line, on stderr. `event` is one of start,
    progress, done, note; rates are per second."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stderr

    def write(self, **event: Any) -> None:
        import msgspec

        self.out.write(msgspec.json.encode(event).decode() + "\n")  # one write: threads report
        self.out.flush()

    @contextmanager
    def task(self, title: str, *, total: float | None = None, unit: str = "B") -> Iterator[Task]:
        task = _EventTask(self, title, total, unit)
        task.report("start")
        yield task
        task.report("done")

    def note(self, text: str) -> None:
        self.write(event="note", text=text)

    def check(self) -> None:
        pass


class _BarTask:
    def __init__(self, progress: RichProgress, title: str, total: float | None, unit: str) -> None:
        self.progress, self.unit = progress, unit
        self.id = progress.add_task(title, total=total, said="")

    def update(self, done: float, total: float | None = None) -> None:
        fields: dict[str, Any] = {"completed": done}
        if total is not None:
            fields["total"] = total
        task = next(task for task in self.progress.tasks if task.id == self.id)
        whole = total if total is not None else task.total
        speed = task.speed or 0
        if self.unit == "B":
            said = human_bytes(done) + (f" of {human_bytes(whole)}" if whole else "")
            said += f", {human_bytes(speed)}/s" if speed else ""
        else:
            said = f"{done:.0f}" + (f" of {whole:.0f}" if whole else "") + f" {self.unit}"
            said += f", {speed:.1f}/s" if speed and self.unit != "s" else ""
        self.progress.update(self.id, said=said, **fields)


class Bars:
    """Live progress bars on a terminal; several tasks may run at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress: RichProgress | None = None
        self._running = 0

    def _enter(self) -> RichProgress:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        with self._lock:
            if self._progress is None:
                screen = RichConsole(stderr=True, highlight=False)
                narrow = screen.width < WIDE  # numbers come before the title and the bar
                title = Column(no_wrap=True, overflow="ellipsis", max_width=24 if narrow else None)
                self._progress = Progress(
                    TextColumn("{task.description}", table_column=title),
                    BarColumn(bar_width=8 if narrow else 24),
                    TextColumn("{task.fields[said]}", table_column=Column(no_wrap=True)),
                    TimeRemainingColumn(table_column=Column(no_wrap=True)),
                    console=screen,
                    transient=True,
                )
                self._progress.start()
            self._running += 1
            return self._progress

    def _leave(self) -> None:
        with self._lock:
            self._running -= 1
            if not self._running and self._progress is not None:
                self._progress.stop()
                self._progress = None

    @contextmanager
    def task(self, title: str, *, total: float | None = None, unit: str = "B") -> Iterator[Task]:
        start = time.monotonic()
        progress = self._enter()
        task = _BarTask(progress, title, total, unit)
        try:
            yield task
            self.note(f"✓ {title} ({human_seconds(time.monotonic() - start)})")
        finally:
            progress.remove_task(task.id)
            self._leave()

    def note(self, text: str) -> None:
        with self._lock:
            progress = self._progress
        if progress is not None:
            progress.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def check(self) -> None:
        pass


class Console:
    """What a command prints to."""

    def __init__(self, *, json: bool = False, events: bool = False) -> None:
        self.json = json
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a Windows pipe may not know "✓"
        self.reporter: Reporter
        if json:
            self.reporter = Events() if events else Silent()
        elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self.reporter = Bars()
        else:
            self.reporter = Lines()

    def print(self, text: str = "") -> None:
        """A line for people; nothing with `--json`."""
        if not self.json:
            print(text, flush=True)

    def aside(self, text: str) -> None:
        """A line beside the answer, on stderr; nothing with `--json`."""
        if not self.json:
            print(text, file=sys.stderr, flush=True)

    def write(self, text: str) -> None:
        """Streamed text, no newline added; nothing with `--json`."""
        if not self.json:
            sys.stdout.write(text)
            sys.stdout.flush()

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        below: Sequence[str] = (),
    ) -> None:
        """Aligned columns; `below` has a sentence for each row, printed under it and wrapped
        to the terminal."""
        if self.json or not rows:
            return
        widths = [
            max(len(str(row[index])) for row in [columns, *rows]) for index in range(len(columns))
        ]
        bold, plain = ("\x1b[1m", "\x1b[0m") if self.styled else ("", "")
        for number, row in enumerate([columns, *rows]):
            line = "  ".join(
                str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)
            )
            self.print(f"{bold}{line.rstrip()}{plain}" if number == 0 else line.rstrip())
            if number and below:
                self.print(self._wrapped(below[number - 1]))

    def _wrapped(self, text: str) -> str:
        """`text` indented; on a terminal in lines that fit."""
        import shutil
        import textwrap

        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
        return textwrap.fill(text, width, initial_indent="     ", subsequent_indent="     ")

    @property
    def styled(self) -> bool:
        """Whether colour and bold may be used: a terminal, and NO_COLOR is not set."""
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def yaml(self, value: Any) -> None:
        """A struct as YAML, in the order of its fields."""
        if not self.json:
            import msgspec
            import yaml

            self.write(yaml.safe_dump(msgspec.to_builtins(value), sort_keys=False))

    def emit(self, value: Any) -> None:
        """The one JSON object of a `--json` command."""
        import msgspec

        try:
            text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
        except UnicodeEncodeError:  # a path whose bytes are no text: json escapes them
            import json

            text = json.dumps(msgspec.to_builtins(value), indent=2)
        print(text, flush=True)

    def error(self, error: SmolpcError) -> None:
        """What happened, why, and the next command to type, on stderr."""
        if self.json:
            from smolpc.schema.report import ErrorBody, ErrorReport

            body = ErrorBody(
                kind=error.kind,
                code=error.code,
                what=error.what,
                why=error.why,
                next=error.next_step,
            )
            try:
                self.emit(ErrorReport(error=body))
            except OSError:  # the output itself is what cannot be written
                quiet_exit()
                self.reporter = Silent()
            if isinstance(self.reporter, Events):
                return  # stderr holds events only, and the object says everything
        red, plain = (
            ("\x1b[31m", "\x1b[0m")
            if sys.stderr.isatty() and not os.environ.get("NO_COLOR")
            else ("", "")
        )
        print(f"{red}error:{plain} {error.what}", file=sys.stderr)
        if error.why:
            print(f"  why:  {error.why}", file=sys.stderr)
        if error.next_step:
            print(f"  next: {error.next_step}", file=sys.stderr)
        sys.stderr.flush()
