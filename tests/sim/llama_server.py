"""The streaming endpoints of llama-server on 127.0.0.1. A token is a word of the prompt."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.sim.model_server import Call, Cut, ModelServer, Redirect, Say, Status
from tests.sim.ollama import echo

__all__ = ["Cut", "Redirect", "Say", "SimLlamaServer", "Status"]


def error(code: int, message: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "type": kind, **more}}


@dataclass
class SimLlamaServer(ModelServer):
    """Use as a context manager."""

    model: str = "smollm2"
    context: int = 2048
    api_key: str = ""
    reply: Callable[[str], list[str]] = echo
    drafts: dict[str, int] = field(default_factory=dict)  # in the timings, where it guesses
    names: tuple[str, ...] = ()  # of all its models; (): only `model`

    def answer(self, call: Call) -> None:
        wanted = "" if call.path == "/health" else self.api_key  # health is public
        if wanted and self.headers[-1].get("authorization") != f"Bearer {wanted}":
            call.json(error(401, "Invalid API Key", "authentication_error"), 401)
            return
        match call.path:
            case "/health":
                call.json({"status": "ok"})
            case "/v1/models":
                meta = {"object": "model", "meta": {"n_ctx": self.context}}
                found = [{"id": one, **meta} for one in self.names or (self.model,)]
                call.json({"object": "list", "data": found})
            case "/props":
                call.json({"build_info": "b11312-sim", "model_path": f"/models/{'a' * 64}/m.gguf"})
            case "/v1/chat/completions":
                prompt = "\n".join(message["content"] for message in call.body["messages"])
                self._stream(call, prompt, self._chat)
            case "/v1/completions":
                self._stream(call, call.body["prompt"], self._text)
            case "/completion":
                self._stream(call, call.body["prompt"], self._completion)
            case _:
                call.json(error(404, "File Not Found", "not_found_error"), 404)

    def _stream(
        self, call: Call, prompt: str, make: Callable[[Call, int, list[str]], Iterator[Any]]
    ) -> None:
        count = len(prompt.split())
        if count >= self.context:
            message = f"request ({count} tokens) exceeds the available context size"
            more = {"n_prompt_tokens": count, "n_ctx": self.context}
            call.json(error(400, message, "exceed_context_size_error", **more), 400)
            return
        events = make(call, count, self.reply(prompt))
        call.stream(
            (
                f"data: {one if isinstance(one, str) else json.dumps(one)}\n\n".encode()
                for one in events
            ),
            "text/event-stream",
        )

    def error_line(self, message: str) -> bytes:
        body = error(500, message, "server_error")
        return f"data: {json.dumps(body)}\n\n".encode()

    def _timings(self, count: int, said: int) -> dict[str, Any]:
        return {
            "cache_n": 0,
            "prompt_n": count,
            "prompt_ms": float(count),
            "predicted_n": said,
            "predicted_ms": 10.0 * said,
            **self.drafts,
        }

    def _limited(self, pieces: list[str], limit: int) -> tuple[list[str], bool]:
        return (pieces[:limit], True) if 0 <= limit < len(pieces) else (pieces, False)

    def _chat(self, call: Call, count: int, pieces: list[str]) -> Iterator[Any]:
        pieces, cut = self._limited(pieces, call.body.get("max_tokens", -1))

        def chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            return {
                "object": "chat.completion.chunk",
                "choices": [choice],
                "model": self.model,
            } | more

        yield chunk({"role": "assistant", "content": None})
        for piece in pieces:
            yield chunk({"content": piece})
        yield chunk({}, "length" if cut else "stop")
        usage = {"prompt_tokens": count, "completion_tokens": len(pieces)}
        yield {"choices": [], "usage": usage, "timings": self._timings(count, len(pieces))}
        yield "[DONE]"

    def _text(self, call: Call, count: int, pieces: list[str]) -> Iterator[Any]:
        pieces, cut = self._limited(pieces, call.body.get("max_tokens", 16))

        def chunk(text: str, reason: str | None = None) -> dict[str, Any]:
            choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}
            return {"object": "text_completion", "choices": [choice], "model": self.model}

        yield from map(chunk, pieces)
        yield chunk("", "length" if cut else "stop")
        if call.body.get("stream_options", {}).get("include_usage"):
            usage = {"prompt_tokens": count, "completion_tokens": len(pieces)}
            yield {"object": "text_completion", "choices": [], "usage": usage}
        yield "[DONE]"

    def _completion(self, call: Call, count: int, pieces: list[str]) -> Iterator[Any]:
        pieces, cut = self._limited(pieces, call.body.get("n_predict", -1))
        for piece in pieces:
            yield {"content": piece, "tokens": [1], "stop": False}
        yield {
            "content": "",
            "stop": True,
            "stop_type": "limit" if cut else "eos",
            "tokens_evaluated": count,
            "tokens_predicted": len(pieces),
            "timings": self._timings(count, len(pieces)),
        }
