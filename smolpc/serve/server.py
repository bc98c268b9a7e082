"""One llama-server as a child process: start, wait until it answers, stop."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import msgspec

from smolpc import proc
from smolpc.console import human_seconds
from smolpc.errors import ServerError
from smolpc.net import direct
from smolpc.serve import ports
from smolpc.serve.environment import environment
from smolpc.serve.log import ServerLog

PATIENCE = 600.0  # seconds for loading; a large model on a slow disk takes minutes
POLL = 0.1  # seconds


class _State(msgspec.Struct):
    value: str
    failed: bool = False


class _Model(msgspec.Struct):
    id: str
    status: _State


class _Models(msgspec.Struct):
    data: list[_Model]


class LlamaServer:
    """The engine's HTTP server, as a context manager or with `start` and `stop`.

    `program` is `bin/llama-server` of a verified artifact, `arguments` are its options (see
    `arguments.for_one`). With `preset`, the text of a preset file, it serves several models
    and starts a process for each, for `at_start` of them at once. `port` 0 takes a free one.
    `api_key` None makes a random one, "" none. The server never outlives this process.
    Raises BusyError when the port is taken, ServerError when the server does not get ready.
    """

    def __init__(
        self,
        program: Path,
        arguments: Sequence[str],
        *,
        preset: str = "",
        at_start: int = 1,
        host: str = ports.LOOPBACK,
        port: int = 0,
        api_key: str | None = None,
        log: Path | None = None,
    ) -> None:
        self.program, self.arguments, self.preset = program, tuple(arguments), preset
        self.at_start, self.host, self.port = at_start, host, port
        self.api_key = secrets.token_urlsafe(24) if api_key is None else api_key
        self.log = ServerLog(log)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._child: proc.Child | None = None

    @property
    def url(self) -> str:
        """Without a slash at the end; the OpenAI API is below `/v1`."""
        host = ports.reachable(self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def pid(self) -> int:
        """Of the process that all processes of the server descend from; 0: not running."""
        return self._child.pid if self._child is not None else 0

    def start(self) -> None:
        """Start the process. Returns at once; see `wait_healthy`."""
        self.port = ports.choose(self.host, self.port)
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="smolpc-serve-")
        folder = Path(self._folder.name)
        cache = folder / "cache"
        cache.mkdir(exist_ok=True)
        argv = [str(self.program), "--host", self.host, "--port", str(self.port), *self.arguments]
        if self.preset:
            listed = folder / "models.ini"
            listed.write_text(self.preset, encoding="utf-8", newline="\n")
            argv += ["--models-preset", str(listed)]
        self._child = proc.Child(
            argv,
            env=environment(os.environ, cache=cache, api_key=self.api_key),
            cwd=self.program.parent,  # the engine looks for its libraries here too
            on_line=self.log.add,
        )

    def ended(self, seconds: float = 0) -> int | None:
        """Wait up to `seconds` for the end: the exit code, or None while it runs."""
        return self._child.wait(seconds) if self._child is not None else 0

    def loaded(self) -> tuple[int, list[str]]:
        """How many of its models are in memory, and the names of those that did not load.
        Raises OSError when it does not answer."""
        host = ports.reachable(self.host)
        status, _ = direct.get(host, self.port, "/health")
        if status != 200 or not self.preset:
            return int(status == 200), []
        status, body = direct.get(host, self.port, "/v1/models", api_key=self.api_key)
        if status != 200:
            raise ConnectionError(f"the list of models was answered with {status}")
        answer = msgspec.json.decode(body, type=_Models)
        states = {one.id: one.status for one in answer.data}
        return (
            sum(state.value == "loaded" for state in states.values()),
            [name for name, state in states.items() if state.failed],
        )

    def healthy(self) -> bool:
        """Whether it answers now, with all models in memory that are loaded at the start."""
        try:
            return self.loaded()[0] >= self.at_start
        except (OSError, msgspec.MsgspecError):
            return False

    def wait_healthy(
        self,
        timeout: float = PATIENCE,
        *,
        check: Callable[[], None] = lambda: None,
        on_loaded: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Return when it is `healthy`. `check` is called again and again and may raise to give
        up, `on_loaded` gets the number of loaded models. Raises ServerError with the end of
        the log when the server ends or a model fails instead, or after `timeout` seconds."""
        start = time.monotonic()
        while True:
            check()
            with contextlib.suppress(OSError, msgspec.MsgspecError):
                count, failed = self.loaded()
                if failed:
                    raise self.failed(f"the model {', '.join(failed)} could not be loaded")
                on_loaded(count)
                if count >= self.at_start:
                    return
            code = self.ended(POLL)
            if code is not None:
                raise self.failed(f"llama-server ended with code {code} before it was ready")
            if time.monotonic() - start > timeout:
                raise self.failed(f"llama-server was not ready after {human_seconds(timeout)}")

    def failed(self, what: str) -> ServerError:
        """The error for a server that does not work, with the end of its log."""
        where = f"\n  log:  {self.log.path}" if self.log.path else ""
        return ServerError(
            what,
            why=f"its last words:{self.log.tail() or ' none'}{where}",
            next_step="smolpc doctor",
        )

    def stop(self) -> None:
        """End it and everything it started; a second call does nothing."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def close(self) -> None:
        """`stop`, and give up its files."""
        self.stop()
        self.log.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> LlamaServer:
        try:
            self.start()
            self.wait_healthy()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
