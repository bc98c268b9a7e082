"""One answer: the token ids of the loop become text, and in the end a result."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING

from smolpc.errors import UsageError
from smolpc.runtime.decoding import Tally
from smolpc.runtime.prefix.reuse import way_for
from smolpc.runtime.stopping import Stops
from smolpc.runtime.vocabulary import TextStream
from smolpc.schema.result import RunResult
from smolpc.schema.running import Piece, Request

if TYPE_CHECKING:
    from smolpc.runtime.loaded import Loaded

KEPT = 8  # on overflow the first eighth of the context stays: the instructions


class Answer:
    """How one answer came about; `result` sums it up."""

    def __init__(
        self, loaded: Loaded, request: Request, prompt: Sequence[int], notes: tuple[str, ...]
    ) -> None:
        self.loaded, self.request, self.prompt, self.notes = loaded, request, prompt, notes
        self.started = time.perf_counter()
        self.tally = Tally()
        self.stop, self.generated = "end", 0
        self.text, self.stops = TextStream(), Stops(request.stop)
        self.shown: list[str] = []
        asked = request.sampling.seed
        self.seed = secrets.randbits(32) if asked is None else asked
        self.keep: int | None = None  # tokens that stay where the context overflows
        if not prompt:
            raise UsageError("the prompt is empty", next_step="smolpc run --prompt 'your question'")
        self._fit()

    def _fit(self) -> None:
        """Find the limit of the answer; with overflow "shift" cut the prompt where it must be."""
        context, request = self.loaded.context, self.request
        room = context - len(self.prompt)
        if request.overflow == "shift":
            self.keep = min(len(self.prompt), context // KEPT)
            if room < 1:
                rest = context - context // KEPT - self.keep  # a part stays free to answer in
                dropped = len(self.prompt) - self.keep - rest
                self.prompt = [*self.prompt[: self.keep], *self.prompt[-rest:]]
                self.notes += (
                    f"the prompt is {1 - room} tokens too long for the context of {context}:"
                    f" {dropped} tokens after the first {self.keep} were left out",
                )
                room = context - len(self.prompt)
            if self.loaded.decoder.cache.can_shift:
                self.room = self.limit = request.max_tokens or context
                return
            self.keep = None
            self.notes += ("this model cannot forget old tokens: a full context ends the answer",)
        if room < 1:
            raise UsageError(
                f"the prompt has {len(self.prompt)} tokens, the context holds {context}:"
                f" {1 - room} too many",
                why="one more is needed for the answer, and a prompt is never cut silently",
                next_step=f"shorten it, or: smolpc run --context {len(self.prompt) + 512}"
                " --prompt '...' (up to what the model was trained for)",
            )
        self.room = room
        self.limit = room if request.max_tokens is None else min(request.max_tokens, room)

    def pieces(
        self, stopped: threading.Event, *, ignore_end: bool = False
    ) -> Generator[Piece, None, RunResult]:
        """Yield the text as it comes; Ctrl-C and `stopped` end it with what was said so far.

        `ignore_end` goes on after the model's end of turn, for measurements.
        """
        loaded, taken = self.loaded, False
        try:
            taken = loaded.turns.take(stopped.is_set)
            if not taken:
                self.stop = "interrupted"
                return self.result()
            with loaded.chooser(self.request, self.prompt, self.seed) as choose:
                tokens = loaded.decoder.tokens(
                    self.prompt,
                    choose,
                    self.tally,
                    stopped,
                    loaded.guessing.drafter(self.request, stopped),
                    self.keep,
                    way_for(self.request, loaded.settings.prompt_cache),
                )
                yield from self._pieces(tokens, stopped, ignore_end)
        except KeyboardInterrupt:
            self.stop = "interrupted"
        finally:
            if taken:
                loaded.used_at = time.monotonic()
                loaded.turns.give()
        rest = "" if self.stops.found else self.stops.add(self.text.finish())
        rest += self.stops.finish()
        if rest:
            yield self._shown(rest, 0)
        return self.result()

    def _pieces(
        self, tokens: Iterator[int], stopped: threading.Event, ignore_end: bool
    ) -> Iterator[Piece]:
        is_end, piece_of = self.loaded.vocabulary.is_end, self.loaded.vocabulary.piece
        whole, stops = self.text.add, self.stops
        since = 0  # tokens since the last piece
        for token in tokens:
            if stopped.is_set():
                self.stop = "interrupted"
                return
            if is_end(token) and not ignore_end:
                return
            self.generated += 1
            since += 1
            part = stops.add(whole(piece_of(token)))
            if part:
                yield self._shown(part, since)
                self.loaded.turns.step()
                since = 0
            if stops.found:
                self.stop = "stop"
                return
            if self.generated >= self.limit:
                self._at_limit()
                return

    def _shown(self, text: str, tokens: int) -> Piece:
        self.shown.append(text)
        return Piece(text=text, tokens=tokens)

    def _at_limit(self) -> None:
        self.stop = "length"
        if self.limit == self.room and self.keep is None:
            full = f"the answer stopped because the context of {self.loaded.context} tokens is full"
            self.notes += (full,)

    def result(self) -> RunResult:
        """What was said and how fast."""
        loaded, tally = self.loaded, self.tally
        if tally.shifted:
            self.notes += (
                f"the context was full: {tally.shifted} of the older tokens were forgotten",
            )
        computed = len(self.prompt) - tally.reused
        return RunResult(
            text="".join(self.shown),
            stop=self.stop,
            stop_string=self.stops.found,
            prompt_tokens=len(self.prompt),
            generated_tokens=self.generated,
            reused_tokens=tally.reused,
            drafted_tokens=tally.drafted,
            accepted_tokens=tally.accepted,
            time_to_first_token=tally.first_at - self.started if tally.first_at else 0.0,
            prompt_rate=computed / tally.prefill_seconds if tally.prefill_seconds else 0.0,
            decode_rate=tally.decoded / tally.decode_seconds if tally.decode_seconds else 0.0,
            load_seconds=loaded.load_seconds,
            threads=loaded.settings.threads,
            context=loaded.context,
            gpu_layers=loaded.gpu_layers,
            backend=loaded.backend,
            placement=loaded.layers,
            devices=tuple(
                f"{device.name} ({device.description})" for device in loaded.bound.devices
            ),
            model=loaded.model.name,
            model_sha256=loaded.model.sha256,
            artifact=loaded.artifact.key,
            seed=self.seed,
            temperature=self.request.sampling.temperature,
            notes=loaded.notes + self.notes + loaded.guessing.notes + loaded.prefix.notes(),
        )
