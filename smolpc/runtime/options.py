"""What callers may give to `generate`, made into a Request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import msgspec

from smolpc.errors import UsageError
from smolpc.schema.running import Message, Overflow, Request, Reuse, Sampling

Prompt = str | Sequence[Message] | Request


class Options(TypedDict, total=False):
    """Each has the meaning of the field of that name in Request or Sampling."""

    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repeat_penalty: float
    repeat_last: int
    seed: int | None
    max_tokens: int | None
    stop: str | Sequence[str]
    grammar: str
    json_schema: dict[str, Any] | None
    raw: bool
    overflow: Overflow
    files: Sequence[str]
    reuse: Reuse


def as_request(prompt: Prompt, options: Options) -> Request:
    """The request for `prompt`; `options` change those of a prompt that is a Request.

    Raises UsageError for a name that is not an option and for a value out of range.
    """
    given: dict[str, Any] = dict(options)
    if isinstance(prompt, Request):
        request = prompt
    elif isinstance(prompt, str):
        request = Request(prompt=prompt)
    else:
        request = Request(messages=tuple(prompt))
    if isinstance(given.get("stop"), str):
        given["stop"] = (given["stop"],)
    for name in ("stop", "files"):
        if name in given:
            given[name] = tuple(given[name])
    sampling = {name: given.pop(name) for name in Sampling.__struct_fields__ if name in given}
    unknown = set(given) - (set(Request.__struct_fields__) - {"sampling"})
    if unknown:
        raise UsageError(
            f"generate has no option {', '.join(sorted(unknown))}",
            why=f"it has: {', '.join(Options.__annotations__)}",
            next_step="leave it out, or correct its name",
        )
    request = msgspec.structs.replace(
        request, sampling=msgspec.structs.replace(request.sampling, **sampling), **given
    )
    _check(request)
    return request


def _check(request: Request) -> None:
    s = request.sampling
    problems = {
        "temperature is 0 to 100": 0 <= s.temperature <= 100,
        "top_k is 0 or more": s.top_k >= 0,
        "top_p is above 0, up to 1": 0 < s.top_p <= 1,
        "min_p is 0 to 1": 0 <= s.min_p <= 1,
        "repeat_penalty is above 0": 0 < s.repeat_penalty <= 100,
        "repeat_last is 0 to 4096": 0 <= s.repeat_last <= 4096,
        "seed is 0 or more, below 2^32": s.seed is None or 0 <= s.seed < 1 << 32,
        "max_tokens is 1 or more": request.max_tokens is None or request.max_tokens >= 1,
        "a stop string is not empty": all(request.stop),
        "there is a grammar or a JSON schema, not both": not request.grammar
        or request.json_schema is None,
    }
    wrong = [words for words, right in problems.items() if not right]
    if wrong:
        raise UsageError(
            "an option is out of range",
            why="; ".join(wrong),
            next_step="give another value (smolpc --help run has all options)",
        )
