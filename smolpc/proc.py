"""The only door to subprocesses: argv lists, no shell, bounded, killed as a tree."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from smolpc.errors import PrerequisiteError

SECRET = re.compile(
    r"((?:token|password|passwd|secret|authorization|api[_-]?key)[=: ]+)\S+", re.IGNORECASE
)
URL_QUERY = re.compile(r"(\w+://[^\s?'\"]+)\?[^\s'\"]*")
URL_USER = re.compile(r"(\w+://)[^/\s]+@")
# me:password@host without a scheme. The limits keep long lines cheap; a host has a dot or a port.
BARE_USER = re.compile(
    r"(?<![\w.%+\\-])[\w.%+-]{2,64}:[^\s/\\@]{1,128}@(?=\[|localhost|[\w-]{1,63}(?:\.[\w-]|:\d))"
)


def mask(text: str) -> str:
    """`text` without passwords, tokens and the queries of URLs, which may be signatures."""
    text = BARE_USER.sub("***@", URL_USER.sub(r"\1***@", SECRET.sub(r"\1***", text)))
    return URL_QUERY.sub(r"\1", text)


GUARD = Path(__file__).with_name("proc_guard.py")
_running: set[subprocess.Popen[str]] = set()


class Completed:
    """A finished process: its exit code and what it printed (stderr joined to stdout)."""

    def __init__(self, argv: Sequence[str], code: int, output: str) -> None:
        self.argv, self.code, self.output = tuple(argv), code, output

    @property
    def ok(self) -> bool:
        return self.code == 0

    def tail(self, lines: int = 20) -> str:
        return "\n".join(self.output.splitlines()[-lines:])


class TimedOut(Exception):
    """The process ran longer than it was given; it and its children were killed."""


class Ended(Exception):
    """A program ended that should have answered. `code` None: it could not be told."""

    def __init__(self, code: int | None, printed: str) -> None:
        super().__init__(printed)
        self.code, self.printed = code, printed


def _isolation() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _kill_tree(process: subprocess.Popen[str]) -> None:
    """End the process and everything it started (Ninja gives each compiler its own group)."""
    import psutil

    if process.returncode is None:
        with contextlib.suppress(psutil.Error):
            family = [psutil.Process(process.pid)]
            family += family[0].children(recursive=True)
            for member in family:
                with contextlib.suppress(psutil.Error):
                    member.kill()
    if sys.platform != "win32":  # what outlived the process itself but kept its group
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)


def kill_all() -> None:
    """End every process that is running now; for Ctrl-C, when workers wait in `run`."""
    for process in tuple(_running):
        _kill_tree(process)


def _popen(
    argv: Sequence[str], *, cwd: Path | None, env: Mapping[str, str], stdin: int
) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=env,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            **_isolation(),
        )
    except FileNotFoundError as error:
        raise PrerequisiteError(
            f"{error.filename} was not found",
            why="it is not installed, or not on PATH",
            next_step="smolpc doctor",
        ) from error
    except OSError as error:
        raise PrerequisiteError(
            f"{argv[0]} cannot be run", why=str(error), next_step="smolpc doctor"
        ) from error


def _close(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


@contextlib.contextmanager
def _started(
    argv: Sequence[str],
    *,
    cwd: Path | None,
    env: Mapping[str, str | None] | None,
    stdin: int,
) -> Iterator[subprocess.Popen[str]]:
    environment = dict(os.environ)
    for name, value in (env or {}).items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    process = _popen(argv, cwd=cwd, env=environment, stdin=stdin)
    _running.add(process)
    try:
        yield process
    except BaseException:
        _kill_tree(process)
        raise
    finally:
        _running.discard(process)
        _close(process)


class Child:
    """A program that runs until it ends or `stop` is called, and never longer than this
    process: `proc_guard.py` ends it, with everything that it started.

    `env` is its whole environment. `on_line` sees each line that it prints, in a thread.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        on_line: Callable[[str], None],
    ) -> None:
        guarded = [sys.executable, "-I", str(GUARD), "", *argv]
        self._process = _popen(guarded, cwd=cwd, env=env, stdin=subprocess.PIPE)
        _running.add(self._process)
        self._reader = threading.Thread(target=self._read, args=(on_line,), daemon=True)
        self._reader.start()

    def _read(self, on_line: Callable[[str], None]) -> None:
        assert self._process.stdout is not None  # noqa: S101 - opened with PIPE
        with contextlib.suppress(ValueError):  # closed by `_end`
            for line in self._process.stdout:
                on_line(line.rstrip("\n"))

    @property
    def pid(self) -> int:
        """Of the guard, the parent of the program."""
        return self._process.pid

    def wait(self, seconds: float) -> int | None:
        """The exit code (128 + n after signal n), or None when it still runs after `seconds`.
        Once it ended, nothing that it started is left, and all its lines were seen."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self._end()
        return code

    def stop(self, seconds: float = 10) -> None:
        """Ask it to end, and kill it after a few seconds. Safe to call again."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        if self.wait(seconds) is None:
            self._end()

    def _end(self) -> None:
        _kill_tree(self._process)
        _running.discard(self._process)
        self._reader.join(2)
        if not self._reader.is_alive():  # closing what a thread reads from would wait for it
            _close(self._process)


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    timeout: float = 60,
    on_line: Callable[[str], None] | None = None,
    log: IO[str] | None = None,
    guard: Path | None = None,
) -> Completed:
    """Run a program to its end and return its code and output, in the order printed.

    `env` is laid over the current environment (None removes a name). `on_line` sees each
    line as it comes. With `guard`, a lock file, the program also ends when this process is
    killed (a pipe to `proc_guard.py` breaks), and the next program with the same guard
    starts only when this one is gone. `timeout` is in seconds; after it the whole process
    tree is killed and `TimedOut` raised. Ctrl-C kills the tree too. Raises
    PrerequisiteError when the program does not exist; a non-zero exit is no error here.
    """
    if log is not None:
        log.write(f"$ {mask(' '.join(argv))}\n")
        for name, value in sorted((env or {}).items()):
            log.write(f"  {name}={mask(f'{name}={value}')[len(name) + 1 :]}\n")
        log.flush()
    lines: list[str] = []
    guarded = [sys.executable, "-I", str(GUARD), str(guard), *argv] if guard else argv
    stdin = subprocess.PIPE if guard else subprocess.DEVNULL
    with _started(guarded, cwd=cwd, env=env, stdin=stdin) as process:
        timed_out = threading.Event()

        def expire() -> None:
            timed_out.set()
            _kill_tree(process)

        timer = threading.Timer(timeout, expire)
        timer.daemon = True
        timer.start()
        try:
            assert process.stdout is not None  # noqa: S101 - opened with PIPE
            for line in process.stdout:
                lines.append(line)
                if log is not None:
                    log.write(line)
                    log.flush()
                if on_line is not None:
                    on_line(line.rstrip("\n"))
            code = process.wait()
        finally:
            timer.cancel()
        if timed_out.is_set():
            raise TimedOut(f"{argv[0]} ran longer than {timeout:g} s")
    return Completed(argv, code, "".join(lines))


class Dialogue:
    """A program that answers a line with a line, as a context manager.

    Only lines that begin with `marker` are answers; what else it prints is kept for errors.
    It ends when its input ends, so also when this process is killed.
    """

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str | None] | None = None, marker: str
    ) -> None:
        self._marker = marker
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._printed: deque[str] = deque(maxlen=20)
        self._cleanup = contextlib.ExitStack()
        self._process = self._cleanup.enter_context(
            _started(argv, cwd=None, env=env, stdin=subprocess.PIPE)
        )
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - opened with PIPE
        with contextlib.suppress(ValueError):  # closed
            for line in self._process.stdout:
                text = line.rstrip("\n")
                if text.startswith(self._marker):
                    self._answers.put(text[len(self._marker) :])
                else:
                    self._printed.append(text)
        self._answers.put(None)

    def ask(self, text: str, timeout: float) -> str:
        """The answer to `text`, which is one line. Raises `Ended` when the program ended
        instead, `TimedOut` (and kills it) after `timeout` seconds."""
        assert self._process.stdin is not None  # noqa: S101 - opened with PIPE
        try:
            self._process.stdin.write(f"{text}\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            raise self._ended() from None
        deadline = time.monotonic() + timeout
        while True:  # in short waits: a long one could not be interrupted on Windows
            try:
                answer = self._answers.get(timeout=0.5)
            except queue.Empty:
                if time.monotonic() < deadline:
                    continue
                self.close()
                raise TimedOut from None
            if answer is None:
                raise self._ended()
            return answer

    def _ended(self) -> Ended:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        code = self._process.poll()
        self.close()
        return Ended(code, "\n".join(self._printed))

    def close(self) -> None:
        """End the program. A second call does nothing."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        _kill_tree(self._process)
        self._cleanup.close()

    def __enter__(self) -> Dialogue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
