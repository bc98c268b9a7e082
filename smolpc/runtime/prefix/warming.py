"""Compute a conversation's beginning before anybody asks, and keep it on the disk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from smolpc.errors import BusyError, UsageError
from smolpc.runtime.prefix.matching import common_prefix
from smolpc.schema.running import Message, Request
from smolpc.schema.warm_report import Warmed

if TYPE_CHECKING:
    from smolpc.runtime.loaded import Loaded

ANY = ("x", "7")  # two questions that have nothing in common


def beginning(loaded: Loaded, system: str) -> list[int]:
    """The tokens that every conversation with this system prompt begins with."""
    first, second = (
        loaded.prompt_tokens(
            Request(
                messages=(
                    Message(role="system", content=system),
                    Message(role="user", content=question),
                )
            )
        )[0]
        for question in ANY
    )
    return first[: common_prefix(first, second)]


def warm(loaded: Loaded, system: str) -> Warmed:
    """Compute the beginning of conversations with `system` and store it, if it is not stored.

    Raises UsageError when nothing can be stored, and what `generate` raises.
    """
    tokens = beginning(loaded, system)
    prefix = loaded.prefix
    size = prefix.stored_bytes(tokens)
    if size:
        return Warmed(model=loaded.model.name, tokens=len(tokens), bytes=size, notes=prefix.notes())
    started = time.perf_counter()
    done = loaded.complete(tokens, Request(max_tokens=1, reuse="off")).result
    seconds = time.perf_counter() - started
    if not loaded.turns.take(lambda: False):
        raise BusyError("the model is busy", next_step="smolpc warm")
    try:
        size = prefix.store_now(loaded.decoder.cache, tokens)
    finally:
        loaded.turns.give()
    notes = done.notes + prefix.notes()
    if not size:
        raise UsageError(
            "the computed prompt cannot be stored",
            why=notes[-1] if notes else "prompt_cache is off, or prompt_cache_limit is 0",
            next_step="smolpc config.show",
        )
    return Warmed(
        model=loaded.model.name, tokens=len(tokens), bytes=size, seconds=seconds, notes=notes
    )
