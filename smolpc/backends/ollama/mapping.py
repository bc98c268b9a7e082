"""Requests as Ollama takes them, and its answers as ours. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from smolpc.backends import sampling
from smolpc.backends.answer import Event, Usage
from smolpc.backends.protocol import NotHere
from smolpc.catalog.families import key_of
from smolpc.errors import UsageError
from smolpc.models.ollama.names import parse
from smolpc.schema.running import Request

BYTES_PER_TOKEN = 4  # of UTF-8, in text and code; a rough mean
MOST_BYTES_PER_TOKEN = 8  # more is seen only in long runs of blanks
NS = 1e-9
FROM = re.compile(r"^FROM .*\bsha256[-:]([0-9a-f]{64})\s*$", re.MULTILINE)
STOP_LINE = re.compile(r"^stop\s+(.+?)\s*$", re.MULTILINE)


class Shown(msgspec.Struct):
    """What `/api/show` tells about a model, as far as it is used here."""

    modelfile: str = ""
    parameters: str = ""
    model_info: dict[str, Any] = {}

    @property
    def sha256(self) -> str:
        """Of the GGUF file, "" when it does not say."""
        found = FROM.search(self.modelfile)
        return found.group(1) if found else ""

    @property
    def trained_context(self) -> int:
        """Tokens; 0: it does not say."""
        architecture = self.model_info.get("general.architecture", "")
        found = self.model_info.get(f"{architecture}.context_length", 0)
        return found if isinstance(found, int) else 0

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings of the model itself, which those of a request would replace."""
        return tuple(_unquoted(one) for one in STOP_LINE.findall(self.parameters))


def _unquoted(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, str) else text


def find(wanted: Iterable[str], here: Iterable[str]) -> str:
    """The name in `here` that the first possible of `wanted` means; "" when there is none."""
    keys: dict[str, str] = {}
    for name in here:
        for spelling in _spellings(name):
            keys.setdefault(key_of(spelling), name)
    return next((keys[key_of(one)] for one in wanted if key_of(one) in keys), "")


def _spellings(name: str) -> tuple[str, ...]:
    try:
        found = parse(name)
    except UsageError:
        return (name,)
    return (name, *found.spellings, found.slug)


def options(
    request: Request, *, num_ctx: int, seed: int, stops: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Everything about sampling and size. `num_predict` is never without end: an Ollama that
    does not know `shift` would go on for ever."""
    found: dict[str, Any] = {
        "num_ctx": num_ctx,
        "num_predict": num_ctx if request.max_tokens is None else request.max_tokens,
        **sampling.fields(request.sampling, seed),
    }
    if request.stop:
        found["stop"] = list(dict.fromkeys((*request.stop, *stops)))
    return found


def body(
    model: str, request: Request, chosen: Mapping[str, Any], keep_alive: str = ""
) -> tuple[str, dict[str, Any]]:
    """Path and JSON of a request with the `options` chosen. Raises NotHere for a grammar."""
    if request.grammar:
        raise NotHere(
            "Ollama follows no grammar",
            why="its API takes a JSON schema, but no GBNF",
            next_step="use --json-schema, or: smolpc run --backend llamacpp",
        )
    cut = request.overflow == "shift"
    found: dict[str, Any] = {
        "model": model,
        "stream": True,
        "options": dict(chosen),
        "truncate": cut,  # an Ollama that knows these two answers with an error instead
        "shift": cut,
    }
    if keep_alive:
        found["keep_alive"] = keep_alive
    if request.json_schema is not None:
        found["format"] = request.json_schema
    if request.messages and not request.raw:
        return "/api/chat", found | {"messages": list(request.messages)}
    return "/api/generate", found | {"prompt": prompt_of(request), "raw": request.raw}


def prompt_of(request: Request) -> str:
    """The request as one text."""
    return request.prompt or "\n\n".join(message["content"] for message in request.messages)


def read(line: bytes) -> Event | None:
    """One line of `/api/generate` or `/api/chat`. Raises OllamaSaid for an error in it."""
    if not line.strip():
        return None
    try:
        found = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise OllamaSaid(f"a line that is no JSON: {error}") from error
    if "error" in found:
        raise OllamaSaid(str(found["error"]))
    message = found.get("message") or {}
    text = str(found.get("response") or message.get("content") or "")
    if not found.get("done"):
        thought = str(found.get("thinking") or message.get("thinking") or "")
        return Event(text=text, tokens=1 if text else 0, thought=thought)
    return Event(text=text, usage=usage(found))


def usage(found: Mapping[str, Any]) -> Usage:
    """The last line's figures. What Ollama leaves out is 0."""
    prompt = int(found.get("prompt_eval_count") or 0)
    return Usage(
        stop="length" if found.get("done_reason") == "length" else "end",
        prompt_tokens=prompt,
        prompt_computed=prompt,
        prompt_seconds=float(found.get("prompt_eval_duration") or 0) * NS,
        generated_tokens=int(found.get("eval_count") or 0),
        decode_seconds=float(found.get("eval_duration") or 0) * NS,
        load_seconds=float(found.get("load_duration") or 0) * NS,
    )


class OllamaSaid(Exception):
    """An error in the middle of an answer, in Ollama's own words."""


def estimate(request: Request) -> int:
    """About how many tokens the prompt has; Ollama has no way to count them before."""
    texts = [message["content"] for message in request.messages] or [request.prompt]
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    return size // BYTES_PER_TOKEN + 8 * len(texts)


def require_room(request: Request, num_ctx: int) -> None:
    """Refuse a prompt that is certainly larger than the context: Ollama would cut it and say
    nothing. Raises UsageError."""
    least = estimate(request) * BYTES_PER_TOKEN // MOST_BYTES_PER_TOKEN
    if request.overflow == "error" and least >= num_ctx:
        raise too_long(f"it has about {estimate(request)} tokens", num_ctx)


def too_long(why: str, num_ctx: int) -> UsageError:
    return UsageError(
        f"the prompt does not fit the context of {num_ctx} tokens",
        why=f"{why}, and a prompt is never cut silently",
        next_step=f"shorten it, or give more context: SMOLPC_CONTEXT={2 * num_ctx}"
        " (up to what the model was trained for)",
    )


def cut_note(request: Request, num_ctx: int, used: Usage) -> str:
    """What is to be said about a context that was too small, or ""."""
    read_tokens, guess = used.prompt_tokens, estimate(request)
    full = read_tokens >= num_ctx - 1
    missing = guess > num_ctx and 0 < read_tokens < guess * BYTES_PER_TOKEN // MOST_BYTES_PER_TOKEN
    if full or missing:
        return (
            f"Ollama read {read_tokens} tokens of a prompt of about {guess}: the beginning was"
            f" cut, because the context holds {num_ctx}"
        )
    if read_tokens + used.generated_tokens >= num_ctx:
        if request.overflow == "error" and used.stop == "length":
            return f"the answer stopped because the context of {num_ctx} tokens is full"
        return f"the context of {num_ctx} tokens is full: Ollama forgot the beginning"
    return ""
