"""The values that `/settings` shows and changes."""

from __future__ import annotations

from typing import Any

import msgspec

from smolpc.catalog.reading import did_you_mean
from smolpc.errors import UsageError
from smolpc.schema.base import Value
from smolpc.schema.running import Sampling

NONE = ("", "none", "auto", "random")


class Options(Value, kw_only=True):
    """How answers are made. `context` 0: what smolpc decides; `max_tokens` None: no limit."""

    sampling: Sampling = Sampling(temperature=0.7)
    max_tokens: int | None = None
    context: int = 0


MEANINGS = {
    "temperature": "0 always takes the likeliest token; higher values vary more",
    "top_k": "only so many of the likeliest tokens; 0: all",
    "top_p": "only the likeliest tokens with this sum of probabilities; 1: all",
    "min_p": "none with less than this share of the likeliest's probability; 0: all",
    "repeat_penalty": "above 1, tokens that were said lately become less likely",
    "repeat_last": "how many tokens the penalty looks back at",
    "seed": "the same seed gives the same text; none: a new one each time",
    "max_tokens": "an answer stops after so many; none: at the end of the context",
    "context": "tokens that a conversation may have; the model is loaded again; 0: automatic",
}
RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 100),
    "top_k": (0, 1_000_000),
    "top_p": (0.01, 1),
    "min_p": (0, 1),
    "repeat_penalty": (0.01, 10),
    "repeat_last": (0, 4096),
    "seed": (0, 2**32 - 1),
    "max_tokens": (1, 10_000_000),
    "context": (0, 10_000_000),
}
OPTIONAL = ("seed", "max_tokens")
REAL = ("temperature", "top_p", "min_p", "repeat_penalty")


def value_of(options: Options, name: str) -> Any:
    return getattr(options if name in ("max_tokens", "context") else options.sampling, name)


def changed(options: Options, name: str, text: str) -> Options:
    """`options` with `name` set to what was typed. Raises UsageError."""
    name = name.replace("-", "_")
    if name not in MEANINGS:
        raise UsageError(
            f"there is no setting '{name}'{did_you_mean(name, list(MEANINGS))}",
            why=f"settings are: {', '.join(MEANINGS)}",
            next_step="/settings",
        )
    is_none = name in OPTIONAL and text.lower() in NONE
    value = None if is_none else _number(name, text)
    if name in ("max_tokens", "context"):
        return msgspec.structs.replace(options, **{name: value})
    sampling = msgspec.structs.replace(options.sampling, **{name: value})
    return msgspec.structs.replace(options, sampling=sampling)


def _number(name: str, text: str) -> float:
    least, most = RANGES[name]
    try:
        value = float(text) if name in REAL else int(text)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        kind = "a number" if name in REAL else "a whole number"
        raise UsageError(
            f"{name} cannot be '{text}'",
            why=f"it is {kind} from {least:g} to {most:g}",
            next_step=f"/settings {name} {least:g}",
        )
    return value
