"""Whether and how one loaded model guesses, as its settings say."""

from __future__ import annotations

from smolpc.runtime.speculation.drafter import NgramDrafter
from smolpc.runtime.speculation.pace import Pace
from smolpc.runtime.speculation.verifier import Verifier
from smolpc.runtime.vocabulary import Vocabulary
from smolpc.schema.running import Request, Speculation


class Guessing:
    """Makes the drafter for each answer. `mode` may change between two answers.

    "auto" guesses for a repeatable request only where the answer is certain to be the same; for
    another one, and with "ngram", also where the engine rounds batches differently.
    """

    def __init__(self, mode: Speculation, verifier: Verifier, vocabulary: Vocabulary) -> None:
        self.mode = mode
        self.pace = Pace()
        self._verifier, self._vocabulary = verifier, vocabulary

    def drafter(self, request: Request) -> NgramDrafter | None:
        """What guesses tokens for `request`; None: nothing does."""
        if self.mode in ("off", "draft") or self._why_not:
            return None
        self._verifier.rounding = self.mode == "ngram" or not request.repeatable
        tokens = self._vocabulary.tokens
        texts = [tokens(text) for text in request.files]
        return NgramDrafter(self.pace, self._vocabulary.is_end, texts)

    @property
    def _why_not(self) -> str:
        if not self._verifier.possible:
            return "the memory of this model cannot undo a wrong guess"
        return ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about speculation that was asked for."""
        if self.mode == "draft":
            return ("no draft model is used: this version of smolpc cannot do that yet",)
        if self.mode != "ngram":
            return ()
        if self._why_not:
            return (f"speculation is off: {self._why_not}",)
        if self._verifier.exact.failed:
            return (
                "speculation was asked for, and this engine rounds several tokens at once"
                " differently from one: where two tokens are nearly equally likely, the answer"
                " may differ from the one without it",
            )
        return ()
