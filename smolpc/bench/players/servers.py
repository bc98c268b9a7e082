"""Servers: our own llama-server, Ollama, and any that speaks the OpenAI protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from smolpc.backends import llama_api
from smolpc.backends.answer import Event, Usage
from smolpc.backends.ollama import errors, mapping
from smolpc.bench.players import wire
from smolpc.bench.players.protocol import Heard, Question
from smolpc.bench.players.timing import Mark, heard
from smolpc.errors import NetworkError, PrerequisiteError, UsageError
from smolpc.net.service import Answered, Service
from smolpc.schema.bench import Variant
from smolpc.schema.running import Message
from smolpc.serve.server import LlamaServer

STANDARD = ("model", "messages", "prompt", "stream", "stream_options", "max_tokens", "temperature")


def heard_from(
    started: float, lines: Sequence[wire.Line], read: Callable[[bytes], Event | None]
) -> Heard:
    """What a stream of lines comes to; `read` says what one line means."""
    marks, usage = list[Mark](), Usage(stop="interrupted")
    for line in lines:
        event = read(line.text)
        if event is None:
            continue
        if event.text or event.thought:
            marks.append(Mark(line.at, event.tokens or 1))
        usage = event.usage or usage
    return heard(
        started,
        marks,
        prompt_tokens=usage.prompt_tokens,
        answer_tokens=usage.generated_tokens,
        reused_tokens=max(0, usage.prompt_tokens - (usage.prompt_computed or usage.prompt_tokens)),
        drafted_tokens=usage.drafted_tokens,
        accepted_tokens=usage.accepted_tokens,
    )


def model_at(url: str, api_key: str, wanted: str) -> str:
    """The name to ask for at a running server: `wanted` where it has that, else its only model.

    Raises PrerequisiteError when it does not answer or wants another key, UsageError when it has
    several models, all of other names.
    """
    try:
        found = Service(llama_api.base_of(url), token=api_key).get("/v1/models")
    except Answered as error:
        if error.status in (401, 403):
            raise PrerequisiteError(
                f"{url} wants {'another' if api_key else 'an'} API key",
                why=error.message,
                next_step="set SMOLPC_API_KEY to its key",
            ) from error
        return wanted  # it has no list
    except NetworkError as error:
        raise PrerequisiteError(
            f"nobody answers at {url}",
            why=error.why or str(error),
            next_step="start the server, or check its address",
        ) from error
    listed = found.get("data") if isinstance(found, dict) else None
    names = [str(one["id"]) for one in listed or () if isinstance(one, dict) and "id" in one]
    if wanted in names or not names:
        return wanted
    if len(names) > 1:
        raise UsageError(
            f"none of the models at {url} is called '{wanted}'",
            why=f"it has {', '.join(names)}",
            next_step=f'smolpc bench --players "llamacpp, {url}?model={names[0]}"',
        )
    return names[0]


class OpenAi:
    """A server that runs already, at `variant.url` ("http://host:port/v1" or without "/v1").

    It answers until its model is done: the protocol knows no other way.
    """

    def __init__(self, variant: Variant, api_key: str = "") -> None:
        self.variant = variant
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    @property
    def pids(self) -> Sequence[int]:
        return ()

    def open(self) -> None:
        """Nothing to load."""

    def answer(self, question: Question) -> Heard:
        _, body = self._body(question)
        path = "/completions" if question.request.raw else "/chat/completions"
        if question.request.raw:
            counted = {"include_usage": True}
            body |= {"max_tokens": body.pop("n_predict"), "stream_options": counted}
        plain = {name: value for name, value in body.items() if name in STANDARD}
        return self._ask(f"{llama_api.base_of(self.variant.url)}/v1{path}", plain, chats=True)

    def _body(self, question: Question) -> tuple[str, dict[str, Any]]:
        return llama_api.body(self.variant.model, question.request, seed=0)

    def _ask(self, url: str, body: Mapping[str, Any], *, chats: bool) -> Heard:
        started, lines = wire.stream(url, body, self._headers)
        return heard_from(started, lines, llama_api.Reader(chats=chats))

    def close(self) -> None:
        """It goes on without us."""


class OwnServer(OpenAi):
    """The llama-server of an artifact, started for the measurement with `arguments`."""

    def __init__(self, variant: Variant, make: Callable[[], LlamaServer]) -> None:
        super().__init__(variant)
        self._make, self._stack = make, ExitStack()
        self._server: LlamaServer | None = None

    @property
    def pids(self) -> Sequence[int]:
        return (self._server.pid,) if self._server is not None else ()

    def open(self) -> None:
        if self._server is None:
            self._server = self._stack.enter_context(self._make())
            self._headers = {"Authorization": f"Bearer {self._server.api_key}"}

    def answer(self, question: Question) -> Heard:
        if self._server is None:
            raise RuntimeError("the player is not open")
        path, body = self._body(question)
        body |= {"ignore_eos": True, "cache_prompt": question.warm}
        return self._ask(f"{self._server.url}{path}", body, chats=not question.request.raw)

    def close(self) -> None:
        self._stack.close()
        self._server = None


class Ollama:
    """Ollama at `variant.url`. `context`: tokens. It stops where its model does, and knows no
    way to forget a prompt; no question begins like one before, so it finds nothing to reuse."""

    def __init__(self, variant: Variant, context: int) -> None:
        self.variant, self._context = variant, context

    @property
    def pids(self) -> Sequence[int]:
        return ()

    def open(self) -> None:
        """It loads the model with the first question."""

    def answer(self, question: Question) -> Heard:
        request = question.request
        if not request.raw and not request.messages:
            raise PrerequisiteError("a question to Ollama is a conversation or raw")
        chosen = mapping.options(request, num_ctx=self._context, seed=0, stops=())
        path, body = mapping.body(self.variant.model, request, chosen, "10m")
        started, lines = wire.stream(f"{self.variant.url.rstrip('/')}{path}", body)
        try:
            return heard_from(started, lines, mapping.read)
        except mapping.OllamaSaid as error:
            raise errors.said(str(error), self.variant.model, self._context) from error

    def close(self) -> None:
        """It frees the model by itself after some minutes."""


def messages(system: str, prompt: str) -> tuple[Message, ...]:
    """A conversation that begins with `system`, if there is one."""
    first = (Message(role="system", content=system),) if system else ()
    return (*first, Message(role="user", content=prompt))
