"""Requests as llama-server takes them, and its streams as ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from smolpc.backends import sampling
from smolpc.backends.answer import Event, Usage
from smolpc.errors import NetworkError, PrerequisiteError, SmolpcError, UsageError
from smolpc.net.service import Answered, Unreachable
from smolpc.schema.running import Message, Request

MS = 1e-3
STOPS = {"limit": "length", "word": "stop"}
DONE = b"[DONE]"
TOO_LONG = "exceed_context_size_error"


def base_of(url: str) -> str:
    """The address in front of "/v1", which may be typed or not."""
    return url.rstrip("/").removesuffix("/v1")


def body(model: str, request: Request, seed: int) -> tuple[str, dict[str, Any]]:
    """Path and JSON of a request: the conversation goes through the model's chat template,
    a raw prompt does not."""
    most = -1 if request.max_tokens is None else request.max_tokens
    found: dict[str, Any] = {
        "model": model,
        "stream": True,
        "cache_prompt": True,
        **sampling.fields(request.sampling, seed),
    }
    if request.stop:
        found["stop"] = list(request.stop)
    if request.grammar:
        found["grammar"] = request.grammar
    if request.json_schema is not None:
        found["json_schema"] = request.json_schema
    if request.raw:
        prompt = request.prompt or "\n\n".join(one["content"] for one in request.messages)
        return "/completion", found | {"prompt": prompt, "n_predict": most}
    messages = request.messages or (Message(role="user", content=request.prompt),)
    return "/v1/chat/completions", found | {
        "messages": list(messages),
        "max_tokens": most,
        "stream_options": {"include_usage": True},
    }


class Reader:
    """Reads the events of one stream. `chats`: of the OpenAI protocol, `/v1/chat/completions` or
    `/v1/completions`; else of the engine's own `/completion`."""

    def __init__(self, *, chats: bool) -> None:
        self._chats = chats
        self._stop = "end"

    def __call__(self, line: bytes) -> Event | None:
        """One line. Raises SmolpcError for an error in it."""
        kind, _, data = line.strip().partition(b":")
        data = data.strip()
        if kind not in (b"data", b"error") or not data or data == DONE:
            return None
        try:
            found = msgspec.json.decode(data, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise said(f"a line that is no JSON: {error}") from error
        if "error" in found or kind == b"error":
            raise from_error(found.get("error", found))
        return self._chat(found) if self._chats else self._completion(found)

    def _completion(self, found: Mapping[str, Any]) -> Event:
        text = str(found.get("content") or "")
        if not found.get("stop"):
            return Event(text=text, tokens=len(found.get("tokens") or ()) or int(bool(text)))
        stop = STOPS.get(str(found.get("stop_type")), "end")
        counts = (found.get("tokens_evaluated", 0), found.get("tokens_predicted", 0))
        return Event(text=text, usage=_usage(stop, counts, found.get("timings") or {}))

    def _chat(self, found: Mapping[str, Any]) -> Event | None:
        text = thought = ""
        for choice in found.get("choices") or ():
            delta = choice.get("delta") or {}
            text += str(delta.get("content") or choice.get("text") or "")
            thought += str(delta.get("reasoning_content") or "")
            if choice.get("finish_reason"):
                self._stop = "length" if choice["finish_reason"] == "length" else "end"
        usage = found.get("usage")
        if usage is None:
            return Event(text=text, tokens=int(bool(text)), thought=thought)
        counts = (usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0))
        return Event(text=text, usage=_usage(self._stop, counts, found.get("timings") or {}))


def _usage(stop: str, counts: tuple[int, int], timings: Mapping[str, Any]) -> Usage:
    """`timings` has the prompt tokens that were computed, not those reused from before."""
    return Usage(
        stop=stop,
        prompt_tokens=counts[0],
        prompt_computed=int(timings.get("prompt_n") or 0),
        prompt_seconds=float(timings.get("prompt_ms") or 0) * MS,
        generated_tokens=counts[1],
        decode_seconds=float(timings.get("predicted_ms") or 0) * MS,
        drafted_tokens=int(timings.get("draft_n") or 0),
        accepted_tokens=int(timings.get("draft_n_accepted") or 0),
    )


def from_error(found: Any) -> SmolpcError:
    """The error object of llama-server as an error with a next step."""
    if not isinstance(found, dict):
        return said(str(found))
    message = str(found.get("message", ""))
    if found.get("type") == TOO_LONG:
        count, context = found.get("n_prompt_tokens", 0), found.get("n_ctx", 0)
        return UsageError(
            f"the prompt has {count} tokens, the context holds {context}",
            why="one more is needed for the answer, and a prompt is never cut silently",
            next_step=f"shorten it, or give more context: SMOLPC_CONTEXT={count + 512}",
        )
    if found.get("type") == "invalid_request_error":
        return UsageError(
            "llama-server does not accept the request", why=message, next_step="smolpc --help run"
        )
    return said(message)


def said(message: str) -> PrerequisiteError:
    return PrerequisiteError(
        "llama-server cannot answer", why=message, next_step="look into its log: smolpc doctor"
    )


def explained(error: NetworkError, url: str) -> SmolpcError:
    """An error of the connection or the server at `url`."""
    if isinstance(error, Unreachable):
        return PrerequisiteError(
            f"llama-server does not answer at {url}", why=error.why, next_step="smolpc serve"
        )
    if isinstance(error, Answered):
        if error.status == 401:
            return PrerequisiteError(
                f"llama-server at {url} wants another API key",
                why=error.message,
                next_step="set SMOLPC_API_KEY to its key",
            )
        body = error.body if isinstance(error.body, dict) else {}
        return from_error(body.get("error", error.message or f"HTTP {error.status}"))
    return NetworkError(
        f"the answer of llama-server at {url} broke off",
        why=str(error),
        next_step="ask again, and look into its log: smolpc doctor",
    )
