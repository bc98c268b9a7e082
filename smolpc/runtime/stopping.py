"""Stop strings: the text ends before the first of them, however it is cut into pieces."""

from __future__ import annotations

from collections.abc import Sequence


class Stops:
    """Text in, text out; only what may still become a stop string is held back."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.found = ""  # the stop string that ended the text

    def add(self, text: str) -> str:
        """What of the text so far can be shown now. After `found` nothing may be added."""
        if not self._stops:
            return text
        text = self._held + text
        ends = [
            (start + len(stop), start, stop)
            for stop in self._stops
            if (start := text.find(stop)) >= 0
        ]
        if ends:  # that which is complete first, as if it came letter by letter
            _, start, self.found = min(ends)
            self._held = ""
            return text[:start]
        kept = max(self._begun(text, stop) for stop in self._stops)
        shown, self._held = text[: len(text) - kept], text[len(text) - kept :]
        return shown

    def finish(self) -> str:
        """What was held back and became no stop string."""
        rest, self._held = self._held, ""
        return rest

    @staticmethod
    def _begun(text: str, stop: str) -> int:
        """The length of the longest end of `text` that `stop` begins with."""
        most = min(len(text), len(stop) - 1)
        return next((n for n in range(most, 0, -1) if text.endswith(stop[:n])), 0)
