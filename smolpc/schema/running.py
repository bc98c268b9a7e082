"""How a model is run: what a caller asks for, and what the engine is set to."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from smolpc.schema.base import Bytes, Value
from smolpc.schema.fit import FitSettings

Speculation = Literal["auto", "off", "ngram", "draft"]
Overflow = Literal["error", "shift"]
# Computed tokens that a prompt begins with. "exact": only where the answer stays what it would
# be without; "fast": all of them, and rounding may change a word; "auto": exact for temperature
# 0 or a given seed, else fast.
Reuse = Literal["auto", "exact", "fast", "off"]


class Message(TypedDict):
    """One turn. `role` is "system", "user" or "assistant"."""

    role: str
    content: str


class Sampling(Value, kw_only=True):
    """How the next token is chosen. Temperature 0 always takes the likeliest token."""

    temperature: float = 0.0
    top_k: int = 40  # 0: all
    top_p: float = 0.95  # 1: all
    min_p: float = 0.05  # 0: all
    repeat_penalty: float = 1.0  # 1: none
    repeat_last: int = 64  # tokens that the penalty looks back at
    seed: int | None = None  # None: a new one, reported in the result


class Request(Value, kw_only=True):
    """One question to a model, the same for every backend."""

    prompt: str = ""  # used when there are no messages
    messages: tuple[Message, ...] = ()
    sampling: Sampling = Sampling()
    max_tokens: int | None = None  # None: to the end of the context
    stop: tuple[str, ...] = ()  # the answer ends before the first of these
    grammar: str = ""  # GBNF; the answer follows it
    json_schema: dict[str, Any] | None = None  # the answer is JSON of this schema
    raw: bool = False  # the prompt goes in as it is, without the chat template
    overflow: Overflow = "error"  # a prompt or answer that is longer than the context
    files: tuple[str, ...] = ()  # texts that the answer may repeat, for speculation only
    reuse: Reuse | None = None  # None: as the engine is set

    @property
    def repeatable(self) -> bool:
        """Whether the same request must get the same answer: nothing is drawn, or by a seed."""
        return self.sampling.temperature <= 0 or self.sampling.seed is not None


class Piece(Value, kw_only=True):
    """A part of the answer, of whole characters."""

    text: str
    tokens: int = 0  # how many tokens it was made of


class RunSettings(Value, kw_only=True):
    """Everything the engine is set to for one model. `memory` comes from `plan.fit`."""

    memory: FitSettings
    threads: int  # while decoding
    batch_threads: int = 0  # while reading the prompt; 0: as many as `threads`
    speculation: Speculation = "auto"
    draft_model: str = ""  # name of an installed model, for speculation "draft"
    devices: tuple[str, ...] = ()  # the engine's names of the GPUs to use; (): all it has
    prompt_cache: Reuse = "auto"  # for requests that do not say it
    prompt_cache_limit: Bytes = 1_000_000_000  # of state files on the disk; 0: none
    cpu_variant: str = ""  # file stem of a CPU library of an all-variants engine; "": the loader's
