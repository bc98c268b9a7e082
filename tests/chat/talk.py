"""A chat without a terminal: what is typed comes from a list, what is said goes into one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smolpc.chat.conversation import Chat
from smolpc.chat.loop import Loop
from tests.sim.backend import SimBackend

CTRL_C = object()


class Recorded:
    """`out` is the answer stream and the printed lines, `err` what is said beside it."""

    def __init__(self) -> None:
        self.out = self.err = ""

    def print(self, text: str = "") -> None:
        self.out += f"{text}\n"

    def aside(self, text: str) -> None:
        self.err += f"{text}\n"

    def write(self, text: str) -> None:
        self.out += text


class Keys:
    """Types the lines of `typed` one after the other, then Ctrl-D."""

    def __init__(self, typed: list[Any]) -> None:
        self.typed, self.prompts = list(typed), list[str]()

    def __call__(self, prompt: str) -> str:
        self.prompts.append(prompt)
        if not self.typed:
            raise EOFError
        line = self.typed.pop(0)
        if line is CTRL_C:
            raise KeyboardInterrupt
        return str(line() if callable(line) else line)


class Talk:
    """A finished chat."""

    def __init__(
        self,
        *typed: str | object | Callable[[], str],
        backends: list[SimBackend] | None = None,
        both: tuple[str, str] | None = None,
        **options: Any,
    ) -> None:
        self.screen = Recorded()
        self.contexts: list[int] = []
        self.backends = backends or [SimBackend(), SimBackend("ollama")]
        self.chat = Chat(self._open, self.screen, **options)
        self.loop = Loop(self.chat, Keys(list(typed)), both=both)
        self.loop.run()

    def _open(self, context: int) -> dict[str, SimBackend]:
        self.contexts.append(context)
        return {one.name: one for one in self.backends}

    @property
    def out(self) -> str:
        return self.screen.out

    @property
    def err(self) -> str:
        return self.screen.err

    @property
    def contents(self) -> list[str]:
        """What the last question's backend was given."""
        asked = [request for one in self.backends for _, request in one.asked]
        return [message["content"] for message in asked[-1].messages]
