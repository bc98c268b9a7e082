"""Whether and how one loaded model guesses, as its settings say."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from smolpc.runtime.decoding import Decoder
from smolpc.runtime.sampling import Choose
from smolpc.runtime.seams import Drafter
from smolpc.runtime.speculation.draft import Either, ModelDrafter, draft_pace
from smolpc.runtime.speculation.drafter import NgramDrafter
from smolpc.runtime.speculation.pace import Pace
from smolpc.runtime.speculation.verifier import Verifier
from smolpc.runtime.vocabulary import Vocabulary
from smolpc.schema.running import Request, Speculation


@dataclass(frozen=True)
class Draft:
    """The loop over a small model with the same tokens, and what chooses its guesses."""

    decoder: Decoder
    choose: Choose


class Guessing:
    """Makes the drafter for each answer. `mode` may change between two answers.

    "auto" guesses for a repeatable request only where the answer is certain to be the same; for
    another one, and with "ngram", also where the engine rounds batches differently. "draft" is
    "auto" with `draft`, a small model, where nothing was seen that could be repeated.
    """

    def __init__(
        self, mode: Speculation, verifier: Verifier, vocabulary: Vocabulary, *, on_gpu: bool
    ) -> None:
        self.mode = mode
        self._on_gpu = on_gpu
        self.pace, self.draft_pace = Pace(), draft_pace()
        self.draft: Draft | None = None
        self._verifier, self._vocabulary = verifier, vocabulary

    def drafter(self, request: Request, stopped: threading.Event) -> Drafter | None:
        """What guesses tokens for `request`; None: nothing does. `stopped` ends its work early."""
        if self.mode == "off" or self._why_not:
            return None
        self._verifier.rounding = self.mode == "ngram" or not request.repeatable
        tokens, is_end = self._vocabulary.tokens, self._vocabulary.is_end
        texts = [tokens(text) for text in request.files]
        seen = NgramDrafter(self.pace, is_end, texts)
        if self.mode != "draft" or self.draft is None:
            return seen
        size = self._vocabulary.size
        return Either(
            seen,
            ModelDrafter(
                self.draft_pace,
                self.draft.decoder,
                self.draft.choose,
                lambda token: token < size and not is_end(token),
                stopped,
            ),
        )

    @property
    def _why_not(self) -> str:
        if self._on_gpu:  # a batch that hands out all its logits crashed Vulkan's software device
            return "it is not proved on a GPU yet"
        if not self._verifier.possible:
            return "the memory of this model cannot undo a wrong guess"
        return ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about speculation that was asked for."""
        if self.mode in ("off", "auto"):
            return ()
        if self._why_not:
            return (f"speculation is off: {self._why_not}",)
        if self.mode == "draft" and self.draft is None:
            return ("no draft model is loaded: guesses come from what was seen only",)
        if self.mode == "ngram" and self._verifier.exact.failed:
            return (
                "speculation was asked for, and this engine rounds several tokens at once"
                " differently from one: where two tokens are nearly equally likely, the answer"
                " may differ from the one without it",
            )
        return ()
