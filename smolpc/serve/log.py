"""The log of a server: private, limited in size, its end kept for error messages."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from io import TextIOWrapper
from logging import LogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path

from smolpc import proc
from smolpc.store import Store

LARGEST = 5_000_000  # bytes; then it becomes serve-8080.log.1
KEPT_LINES = 200


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class _PrivateFile(RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", errors="replace", opener=_private)

    def handleError(self, record: LogRecord) -> None:
        """A full disk does not end the server."""


class ServerLog:
    """Lines go into `path` (None: nowhere); the last ones are kept. Secrets are masked."""

    def __init__(self, path: Path | None, *, largest: int = LARGEST) -> None:
        self.path = path
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._file = (
            _PrivateFile(path, maxBytes=largest, backupCount=1) if path is not None else None
        )

    def add(self, line: str) -> None:
        line = proc.mask(line)
        self.lines.append(line)
        if self._file is not None:
            self._file.emit(LogRecord("serve", 20, "", 0, line, None, None))

    def tail(self, lines: int = 8) -> str:
        return "".join(f"\n    {line}" for line in list(self.lines)[-lines:] if line.strip())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def place(store: Store, port: int) -> Path:
    """Where the log of the server goes that was asked for on `port`: to the other logs of the
    store, or where that cannot be written, to the user's own folder for logs."""
    folder = store.logs
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        from platformdirs import user_log_path

        folder = user_log_path("smolpc", appauthor=False)
        folder.mkdir(parents=True, exist_ok=True)
    return folder / (f"serve-{port}.log" if port else "serve.log")
