"""The token loop: prefill, then decode one token at a time. Nothing slow inside it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from smolpc.errors import SmolpcError, UsageError
from smolpc.runtime.bindings import Bound
from smolpc.runtime.interrupts import ctrl_c_noted
from smolpc.runtime.sampling import sampler
from smolpc.runtime.vocabulary import TextStream, Vocabulary

ABORTED = 2  # llama_decode: the abort callback said stop


class Tally:
    """What one generation did. Seconds count the engine's work, not its caller's."""

    def __init__(self) -> None:
        self.stop = "end"
        self.text = ""
        self.generated = 0  # tokens given out, the end token not among them
        self.decoded = 0  # tokens computed after the prompt
        self.prefill_seconds = 0.0
        self.decode_seconds = 0.0
        self.first_at = 0.0  # perf_counter when the first token was known


class Decoder:
    """The loop over one context. `run` may be called again and again, not in parallel."""

    def __init__(self, bound: Bound, context: Any, vocabulary: Vocabulary) -> None:
        self._bound, self._llama = bound, bound.llama
        self._context, self._vocabulary = context, vocabulary
        self._closed = False
        self._batch_size = int(self._llama.llama_n_batch(context))

    def close(self) -> None:
        """The context will be freed: a stream that is still open must not go on."""
        self._closed = True

    def require_open(self) -> None:
        """Raise UsageError when the context was freed: the next call would crash."""
        if self._closed:
            raise UsageError(
                "the engine is closed",
                why="its 'with' block has ended",
                next_step="read the stream inside the block, or open the engine again",
            )

    def run(
        self,
        tokens: Sequence[int],
        limit: int,
        temperature: float,
        seed: int,
        *,
        ignore_end: bool,
        tally: Tally,
    ) -> Iterator[str]:
        """Yield text for at most `limit` tokens after `tokens`, and fill `tally`."""
        stream = TextStream()
        try:
            with sampler(self._llama, temperature, seed) as chain:
                yield from self._run(tokens, limit, chain, stream, ignore_end, tally)
        except KeyboardInterrupt:
            tally.stop = "interrupted"
        rest = stream.finish()
        tally.text = stream.text
        if rest:
            yield rest

    def _run(
        self,
        tokens: Sequence[int],
        limit: int,
        chain: Any,
        stream: TextStream,
        ignore_end: bool,
        tally: Tally,
    ) -> Iterator[str]:
        llama, context, vocabulary = self._llama, self._context, self._vocabulary
        decode, sample, now = llama.llama_decode, llama.llama_sampler_sample, time.perf_counter
        start = now()
        self.prefill(tokens)
        token = sample(chain, context, -1)
        tally.first_at = now()
        tally.prefill_seconds = tally.first_at - start
        slot = (llama.llama_token * 1)()
        batch = llama.llama_batch_get_one(slot, 1)  # one batch; only its token changes
        while ignore_end or not vocabulary.is_end(token):
            tally.generated += 1
            text = stream.add(vocabulary.piece(token))
            if text:
                yield text
                self.require_open()
            if tally.generated >= limit:
                tally.stop = "length"
                return
            start = now()
            slot[0] = token
            self._check(decode(context, batch))
            token = sample(chain, context, -1)
            tally.decode_seconds += now() - start
            tally.decoded += 1

    def prefill(self, tokens: Sequence[int]) -> None:
        """Empty the context and compute `tokens`, in batches; Ctrl-C stops between operations.

        Raises KeyboardInterrupt or SmolpcError.
        """
        llama, context = self._llama, self._context
        llama.llama_memory_clear(llama.llama_get_memory(context), True)
        buffer = (llama.llama_token * len(tokens))(*tokens)
        with self._interruptible():
            for begin in range(0, len(tokens), self._batch_size):
                count = min(self._batch_size, len(tokens) - begin)
                part = (llama.llama_token * count).from_buffer(buffer, begin * 4)
                self._check(llama.llama_decode(context, llama.llama_batch_get_one(part, count)))

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let Ctrl-C end a long call into the engine, which Python alone would wait for.

        Only for prefill: ggml asks per operation, which a single token would feel.
        """
        with ctrl_c_noted() as pressed:
            callback = self._llama.ggml_abort_callback(lambda _: pressed.is_set())
            self._llama.llama_set_abort_callback(self._context, callback, None)
            try:
                yield
            finally:
                nothing = self._llama.ggml_abort_callback()
                self._llama.llama_set_abort_callback(self._context, nothing, None)

    def _check(self, code: int) -> None:
        if code == ABORTED:
            raise KeyboardInterrupt
        if code != 0:
            raise SmolpcError(
                f"the engine stopped with code {code}",
                why=self._bound.log.tail() or "it gave no reason",
                next_step="smolpc doctor",
            )
