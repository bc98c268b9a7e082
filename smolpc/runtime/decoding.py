"""The token loop: prefill, then one engine call per token. Nothing slow inside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from smolpc.errors import SmolpcError
from smolpc.runtime.bindings import Bound
from smolpc.runtime.busy import Pace
from smolpc.runtime.cache import Cache
from smolpc.runtime.closed import closed
from smolpc.runtime.interrupts import ctrl_c_noted
from smolpc.runtime.prefix.matching import batches
from smolpc.runtime.sampling import Choose
from smolpc.runtime.seams import Drafter, NoReuse, Prefix
from smolpc.runtime.speculation.verifier import Verifier
from smolpc.schema.running import Reuse

ABORTED = 2  # llama_decode: the abort callback said stop


class Tally:
    """What one generation did. Seconds count the engine's work, not its caller's."""

    def __init__(self) -> None:
        self.reused = 0  # prompt tokens that were in the context already
        self.decoded = 0  # tokens computed after the first one of the answer
        self.drafted = 0
        self.accepted = 0
        self.shifted = 0  # tokens dropped from the context to make room
        self.prefill_seconds = 0.0
        self.decode_seconds = 0.0
        self.first_at = 0.0  # perf_counter when the first token was known


class Decoder:
    """The loop over one context. `prefix` and a drafter per answer are its two seams."""

    def __init__(self, bound: Bound, model: Any, context: Any, pace: Pace | None = None) -> None:
        self.pace = pace or Pace(1, lambda _: None)
        self._bound, self._llama, self.context = bound, bound.llama, context
        self._answering = int(self._llama.llama_n_threads(context))
        self._reading = int(self._llama.llama_n_threads_batch(context))
        self._closed = False
        self._computing = threading.Lock()  # held while the engine works on the context
        self._batch_size = int(self._llama.llama_n_ubatch(context))
        self.cache = Cache(self._llama, context)
        self.prefix: Prefix = NoReuse()
        self.verifier = Verifier(self._llama, model, self.cache, self._check)

    def close(self, free: Callable[[], None]) -> None:
        """Wait for the call that is under way, then `free` the context."""
        self._closed = True
        with self._computing:
            free()

    def require_open(self) -> None:
        """Raise UsageError when the context was freed: the next call would crash."""
        if self._closed:
            raise closed()

    def tokens(
        self,
        prompt: Sequence[int],
        choose: Choose,
        tally: Tally,
        stopped: threading.Event,
        drafter: Drafter | None = None,
        keep: int | None = None,
        reuse: Reuse = "auto",
    ) -> Generator[int, None, None]:
        """The tokens after `prompt`, without end: the caller stops at a limit or end token.

        `stopped` ends a prefill early. Where `keep` is given, a full context loses the older
        half of what follows the first `keep` tokens. `reuse` says how much of the prompt may
        stay from before. Raises KeyboardInterrupt, SmolpcError, and UsageError when the model is
        closed meanwhile.
        """
        try:
            yield from self._tokens_after(prompt, choose, tally, stopped, drafter, keep, reuse)
        except GeneratorExit:
            raise
        except BaseException:
            with self._computing:
                if not self._closed:
                    self.cache.tidy()
            raise

    def _tokens_after(
        self,
        prompt: Sequence[int],
        choose: Choose,
        tally: Tally,
        stopped: threading.Event,
        drafter: Drafter | None,
        keep: int | None,
        reuse: Reuse,
    ) -> Iterator[int]:
        llama, context, held = self._llama, self.context, self.cache.held
        decode, now = llama.llama_decode, time.perf_counter
        computing = self._computing
        start = now()
        with computing:
            self.require_open()
            tally.reused = self.prefill(prompt, stopped, reuse)
            token = choose(-1)
        tally.first_at = now()
        tally.prefill_seconds = tally.first_at - start
        self.pace.begin()
        slot = (llama.llama_token * 1)()
        batch = llama.llama_batch_get_one(slot, 1)  # one batch; only its token changes
        known = [*prompt, token] if drafter else []
        yield token
        with computing:
            self.require_open()
            self.prefix.store(self.cache, prompt, tally.prefill_seconds)
        while True:
            start = now()
            with computing:
                self.require_open()
                if keep is not None and self.cache.room < 1:
                    self._shift(keep, tally)
                draft = self._draft(drafter, known) if drafter else ()
                began = now()
                if draft:
                    found = self.verifier.verify(token, draft, choose)
                else:
                    slot[0] = token
                    self._check(decode(context, batch))
                    held.append(token)
                    found = [choose(-1)]
                end = now()
                # the engine computes a batch with the threads for prompts
                self.pace.worked(end - began, self._reading if draft else self._answering)
            tally.decode_seconds += end - start
            tally.decoded += len(found)
            if drafter:
                known += found
                tally.drafted += len(draft)
                tally.accepted += len(found) - 1
                drafter.feedback(len(draft), len(found) - 1, end - began)
            yield from found
            token = found[-1]

    def _draft(self, drafter: Drafter, known: Sequence[int]) -> Sequence[int]:
        """What may follow `known`, as far as it can be checked; () if nothing pays."""
        room = self.verifier.room
        return self.verifier.trusted(known[-1], drafter.propose(known, room)) if room > 0 else ()

    def _shift(self, keep: int, tally: Tally) -> None:
        count = max(1, (len(self.cache.held) - keep) // 2)
        if self.cache.drop(keep, count):
            tally.shifted += count

    def prefill(
        self,
        prompt: Sequence[int],
        stopped: threading.Event | None = None,
        reuse: Reuse = "auto",
    ) -> int:
        """Compute `prompt` in batches and return how much of it was in the context already.

        Ctrl-C and `stopped` end it between two operations of the engine. Raises
        KeyboardInterrupt or SmolpcError.
        """
        llama, context, cache = self._llama, self.context, self.cache
        begin = reused = self.prefix.reuse(cache, prompt, reuse)
        buffer = (llama.llama_token * len(prompt))(*prompt)
        self.pace.begin()
        with self._interruptible(stopped or threading.Event()):
            for count in batches(len(prompt) - reused, self._batch_size):
                part = (llama.llama_token * count).from_buffer(buffer, begin * 4)
                start = time.perf_counter()
                self._check(llama.llama_decode(context, llama.llama_batch_get_one(part, count)))
                self.pace.worked(time.perf_counter() - start, self._reading)
                cache.held.extend(prompt[begin : begin + count])
                begin += count
        self.prefix.computed(cache, prompt)
        return reused

    @contextmanager
    def _interruptible(self, stopped: threading.Event) -> Iterator[None]:
        """Let Ctrl-C end a long call into the engine, which Python alone would wait for.

        Only for prefill: ggml asks per operation, which a single token would feel.
        """
        with ctrl_c_noted() as pressed:
            callback = self._llama.ggml_abort_callback(
                lambda _: pressed.is_set() or stopped.is_set() or self._closed
            )
            self._llama.llama_set_abort_callback(self.context, callback, None)
            try:
                yield
            finally:
                nothing = self._llama.ggml_abort_callback()
                self._llama.llama_set_abort_callback(self.context, nothing, None)

    def _check(self, code: int) -> None:
        if code == ABORTED:
            self.require_open()
            raise KeyboardInterrupt
        if code != 0:
            raise SmolpcError(
                f"the engine stopped with code {code}",
                why=self._bound.log.tail() or "it gave no reason",
                next_step="smolpc doctor",
            )
