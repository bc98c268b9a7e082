"""The decoder's `prefix`: what stays in the context, what comes from the disk, what goes there."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smolpc.runtime.cache import Cache
from smolpc.runtime.prefix.matching import (
    Held,
    Memory,
    after_prompt,
    common_prefix,
    keepable,
)
from smolpc.runtime.prefix.shelf import Shelf
from smolpc.runtime.prefix.state import States
from smolpc.schema.running import Request, Reuse

MIN_GAIN = 32  # tokens: for fewer no file is read
MIN_STORED = 256  # tokens that were computed anew, before a prompt is worth a file
LOADING_RATE = 500e6  # bytes a second, reading and hashing on a slow PC
MIN_ADVANTAGE = 4.0  # computing must take this much longer than loading


def worth_storing(computed: int, seconds: float, size: int) -> bool:
    """Whether a prompt should go to the disk: `computed` tokens took `seconds`, and the state
    has `size` bytes."""
    return computed >= MIN_STORED and seconds > MIN_ADVANTAGE * size / LOADING_RATE


def way_for(request: Request, default: Reuse) -> Reuse:
    """How to reuse for `request`: "auto" keeps what a caller may rely on, that temperature 0
    and a given seed repeat."""
    way = request.reuse or default
    if way != "auto":
        return way
    return "exact" if request.repeatable else "fast"


class PrefixReuse:
    """Prompt reuse for one context. `shelf` None: only what the context itself holds.
    `full_window`: window layers hold the whole context, too.

    "auto" is "fast" here: who asks knows whether the answer must repeat (`way_for`).
    """

    def __init__(
        self, llama: Any, model: Any, shelf: Shelf | None = None, *, full_window: bool = False
    ) -> None:
        self._shelf = shelf
        self._states = States(llama, model, full_window=full_window)
        self._memory = self._states.memory
        self._held = Held()  # what is known about the way the context's tokens were computed
        self._kept = 0
        self._writer: threading.Thread | None = None
        self._last: tuple[Path, Sequence[int]] | None = None  # the file this context wrote
        self._how: Reuse = "off"

    def reuse(self, cache: Cache, prompt: Sequence[int], how: Reuse) -> int:
        """Leave a beginning of `prompt` in `cache` and return its length; see `seams.Prefix`."""
        self._how, exact = how, how == "exact"
        here = 0
        if how != "off":
            here = self._in_context(cache, prompt, exact)
            if self._shelf and len(prompt) - here > MIN_GAIN:
                here = self._from_disk(self._shelf, cache, prompt, here, exact)
        self._kept = cache.keep(here)
        self._held = Held(tuple(prompt[: self._kept]), min(self._held.exact, self._kept))
        return self._kept

    def computed(self, cache: Cache, prompt: Sequence[int]) -> None:
        """All of `prompt` is in `cache`."""
        del cache
        self._held = after_prompt(self._held, self._kept, prompt)

    def _in_context(self, cache: Cache, prompt: Sequence[int], exact: bool) -> int:
        """What of `prompt` the context can keep."""
        held = cache.held[: cache.sound]
        known = min(self._held.exact, common_prefix(self._held.tokens, held))
        self._held = Held(held, known)
        oldest = self._states.oldest_position(cache.context)
        memory = Memory(self._memory.cuts, self._memory.window, oldest)
        return keepable(self._held, prompt, memory, exact=exact)

    def _from_disk(
        self, shelf: Shelf, cache: Cache, prompt: Sequence[int], here: int, exact: bool
    ) -> int:
        """Load the file that helps most, where one helps more than the context does."""
        for found in shelf.best(prompt, self._memory, context=cache.size, exact=exact):
            if found.keep - here < MIN_GAIN:
                break
            data = shelf.take(found)
            if data is None:
                continue
            cache.held.clear()  # Ctrl-C may come before it is known what the engine holds
            if self._states.load(cache.context, data, len(found.tokens)):
                cache.replaced(found.tokens)
                self._held = Held(found.tokens, found.header.exact)
                return found.keep
            shelf.drop(found.path, "the engine refused it")
            cache.keep(0)
            here = 0
        return here

    def store(self, cache: Cache, prompt: Sequence[int], seconds: float) -> None:
        """Write `prompt` to the disk if that pays; `cache` holds it and nothing else.

        Called after the first token was given out. Copies the state and lets a thread write.
        """
        size = self._states.size(cache.context) if self._shelf else 0
        if (
            self._shelf is not None
            and self._how != "off"
            and (self._writer is None or not self._writer.is_alive())
            and size <= self._shelf.limit
            and worth_storing(len(prompt) - self._kept, seconds, size)
            and (data := self._states.save(cache.context)) is not None
        ):
            what = (self._shelf, tuple(prompt), self._held.exact, data)
            self._writer = threading.Thread(target=self._write, args=what, name="prompt-cache")
            self._writer.start()

    def stored_bytes(self, prompt: Sequence[int]) -> int:
        """Bytes of the intact file of exactly this prompt; 0: there is none."""
        return self._shelf.bytes_of(prompt) if self._shelf else 0

    def store_now(self, cache: Cache, prompt: Sequence[int]) -> int:
        """Write `prompt`, which `cache` holds, whatever it costs; return the bytes (0: not)."""
        if self._shelf is None or cache.held != list(prompt):
            return 0
        data = self._states.save(cache.context)
        if data is None or self._shelf.put(prompt, self._held.exact, data) is None:
            return 0
        return self.stored_bytes(prompt)

    def _write(self, shelf: Shelf, prompt: tuple[int, ...], exact: int, data: bytearray) -> None:
        path = shelf.put(prompt, exact, data)
        before, self._last = self._last, (path, prompt) if path else self._last
        if path is None or before is None or before[0] == path:
            return
        can_stop_anywhere = self._memory.cuts and not self._memory.window
        if can_stop_anywhere and common_prefix(before[1], prompt) == len(before[1]):
            shelf.remove(before[0])  # all of it is in the new one

    def notes(self) -> tuple[str, ...]:
        """What went wrong with files since the last call."""
        if self._shelf is None:
            return ()
        said, self._shelf.notes = tuple(self._shelf.notes), []
        return said

    def close(self) -> None:
        """Wait until what is being written is on the disk."""
        if self._writer is not None:
            self._writer.join()
