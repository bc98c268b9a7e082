"""A conversation and its answers, without a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from smolpc.backends.chain import Chain
from smolpc.backends.protocol import Backend
from smolpc.chat.options import Options
from smolpc.schema.conversation import Conversation
from smolpc.schema.result import RunResult
from smolpc.schema.running import Message, Request, Sampling

AUTO = "auto"
Open = Callable[[int], Mapping[str, Backend]]  # tokens of context -> all backends
Order = Callable[[str], Sequence[str]]  # model -> names of backends, best first
Usual = Callable[[str], tuple[Sampling, tuple[str, ...]]]  # model -> its sampling, and notes


class Screen(Protocol):
    """What of a Console is used."""

    def print(self, text: str = "") -> None: ...

    def aside(self, text: str) -> None: ...

    def write(self, text: str) -> None: ...


class Chat:
    """The state: messages, model, backend and options. `answers` keeps every result.

    `order` (None: that of `open_backends`) says who is tried when nobody chose a backend.
    `usual` (None: the options stay) says how the tokens of a model are chosen.
    """

    def __init__(
        self,
        open_backends: Open,
        screen: Screen,
        *,
        model: str = "",
        backend: str = AUTO,
        system: str = "",
        order: Order | None = None,
        usual: Usual | None = None,
        options: Options | None = None,
    ) -> None:
        self.screen, self._open = screen, open_backends
        self._order = order or (lambda _: tuple(self.backends))
        self.options = options or Options()
        self._usual = usual
        self._given = usual(model)[0] if usual else self.options.sampling
        self.model, self.backend = model, backend
        self.system = system
        self.turns: list[Message] = []  # without the system prompt
        self.answers: list[RunResult] = []
        self.retryable = ""  # the last question
        self.backends = open_backends(self.options.context)

    @property
    def messages(self) -> tuple[Message, ...]:
        first = [Message(role="system", content=self.system)] if self.system else []
        return (*first, *self.turns)

    @property
    def order(self) -> tuple[str, ...]:
        """Who is tried for an answer, best first."""
        return tuple(self._order(self.model)) if self.backend == AUTO else (self.backend,)

    @property
    def chain(self) -> Chain:
        """What answers: the chosen backend alone, or with "auto" several in their order."""
        return Chain(
            [self.backends[name] for name in self.order],
            lambda said: self.screen.aside(f"note: {said}"),
        )

    def request(self, question: str) -> Request:
        """The conversation so far and a new question."""
        asked = Message(role="user", content=question)
        return Request(
            messages=(*self.messages, asked),
            sampling=self.options.sampling,
            max_tokens=self.options.max_tokens,
        )

    def ask(self, question: str) -> RunResult:
        """Answer on the screen and remember both. Ctrl-C ends the answer; what was said by then
        stays. A question without an answer is forgotten, but `retryable`.

        Raises SmolpcError, and KeyboardInterrupt for Ctrl-C before the first word.
        """
        self.retryable = question
        result = self.answer_of(self.chain, self.request(question))
        self.remember(question, result)
        return result

    def answer_of(self, backend: Backend, request: Request) -> RunResult:
        """The answer of one backend on the screen."""
        said = ""
        try:
            with backend.generate(self.model, request) as answer:
                try:
                    for piece in answer:
                        said = piece.text or said
                        self.screen.write(piece.text)
                except KeyboardInterrupt:
                    answer.cancel()
                return answer.result
        finally:
            if not said.endswith("\n"):
                self.screen.write("\n")

    def remember(self, question: str, result: RunResult) -> None:
        self.answers.append(result)
        if result.text:
            self.turns += [
                Message(role="user", content=question),
                Message(role="assistant", content=result.text),
            ]

    def forget_last(self) -> str:
        """Take the last question and its answer back; the question, "" when there is none."""
        unanswered = self.retryable and self.retryable not in (
            turn["content"] for turn in self.turns[-2:]
        )
        if unanswered:
            return self.retryable
        if self.turns and self.turns[-1]["role"] == "assistant":
            self.turns.pop()
        if self.turns and self.turns[-1]["role"] == "user":
            return self.turns.pop()["content"]
        return ""

    def use(self, model: str) -> None:
        """Go on with another model and its usual sampling; what was changed here stays."""
        sampling, notes = self._usual(model) if self._usual else (self._given, ())
        now = self.options.sampling
        changed = {
            name: getattr(now, name)
            for name in Sampling.__struct_fields__
            if getattr(now, name) != getattr(self._given, name)
        }
        mixed = msgspec.structs.replace(sampling, **changed)
        self.options = msgspec.structs.replace(self.options, sampling=mixed)
        self.model, self._given = model, sampling
        for note in notes:
            self.screen.aside(f"note: {note}")

    def reopen(self, context: int) -> None:
        """Other backends for another context; the models are loaded again when they are asked."""
        self.close()
        self.options = msgspec.structs.replace(self.options, context=context)
        self.backends = self._open(context)

    def exported(self) -> Conversation:
        return Conversation(model=self.model, messages=self.messages)

    def take(self, conversation: Conversation) -> None:
        """Go on with a saved conversation. The model stays when the file names none."""
        turns = list(conversation.messages)
        is_system = bool(turns) and turns[0]["role"] == "system"
        self.system = turns.pop(0)["content"] if is_system else ""
        is_open = bool(turns) and turns[-1]["role"] == "user"  # nobody has answered it yet
        self.retryable = turns.pop()["content"] if is_open else ""
        self.turns = turns
        if conversation.model and conversation.model != self.model:
            self.use(conversation.model)

    def close(self) -> None:
        for backend in self.backends.values():
            backend.close()
