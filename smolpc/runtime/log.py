"""The engine's own log: kept quiet, its last lines kept for error messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

KEPT_LINES = 40
WARN, ERROR, CONTINUED = 3, 4, 5  # enum ggml_log_level, ggml.h


class EngineLog:
    """A log callback for llama.cpp. Keep the object alive as long as the library is used."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._level = 0
        self._recorded: list[str] | None = None
        self.callback: Any = None  # the ctypes thunk; freeing it would crash the engine

    def add(self, level: int, text: str) -> None:
        """One call of the engine: a line, or with level CONTINUED the rest of one."""
        if self._recorded is not None:
            self._recorded.append(text)
        if level != CONTINUED:
            self._level = level
        if self._level in (WARN, ERROR) and text.strip(" .\n"):
            self.lines.append(text.strip())

    @contextmanager
    def recording(self) -> Iterator[list[str]]:
        """All that the engine says meanwhile, not only warnings. One at a time."""
        lines: list[str] = []
        self._recorded = lines
        try:
            yield lines
        finally:
            self._recorded = None

    def tail(self, lines: int = 4) -> str:
        """The last warnings and errors, for the "why" of a message."""
        return "; ".join(list(self.lines)[-lines:])

    def attach(self, llama: Any) -> None:
        """Make this the log of the engine that `llama` is bound to."""
        self.callback = llama.llama_log_callback(
            lambda level, text, _: self.add(level, (text or b"").decode("utf-8", "replace"))
        )
        llama.llama_log_set(self.callback, None)
