"""Where the latest tokens were seen before, and what followed them there.

The text is often a copy with small changes: a file in the prompt and the edited file as the
answer. So the place that is being copied is kept while it agrees. When it stops agreeing, the
copy is taken up again near the place where it was lost, or at the longest match anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

KEY = 3  # tokens that must agree before a place is considered
CANDIDATES = 6  # places compared per search, the latest first
LONGEST = 32  # tokens compared backwards; longer matches are not told apart
WINDOW = 16  # tokens after a lost place in which the copy is taken up again
BARRIER = -1  # stands between two texts: no token, so no match crosses it


class Lookup:
    """An index over `texts` and everything added; about a microsecond per token."""

    def __init__(self, texts: Iterable[Sequence[int]] = ()) -> None:
        self._tokens: list[int] = []
        self._earlier: list[int] = []  # per token: an earlier place after the same key, or -1
        self._latest: dict[tuple[int, int, int], int] = {}  # key -> the place after it
        self._at = -1  # the place whose token is expected next; -1: none
        self._lost = -1  # the first place that did not agree, while it is still looked for
        self._since = 0  # tokens since it was lost
        self.matched = 0  # tokens that agreed before the expected one
        for text in texts:
            self._index(text)
            self._index((BARRIER,))

    def extend(self, tokens: Sequence[int]) -> None:
        """Add many tokens, such as a prompt, and look up the end only."""
        self._index(tokens)
        self._at, self._lost, self.matched = -1, -1, 0
        self._search()

    def add(self, token: int) -> bool | None:
        """Add the token that came, and say whether it was the expected one (None: none was)."""
        expected = self.expected
        self._index((token,))
        if expected == token:
            self._at += 1
            self.matched += 1
            if self.matched >= KEY:
                self._lost = -1
                return True
        else:
            if expected is not None and self._lost < 0:
                self._lost, self._since = self._at, 0
            self._at, self.matched = -1, 0
            self._resume(token)
        self._search()
        return None if expected is None else expected == token

    @property
    def expected(self) -> int | None:
        """The token that should come next, if there is a guess."""
        token = self._tokens[self._at] if self._at >= 0 else BARRIER
        return None if token == BARRIER else token

    def guess(self, at_most: int) -> list[int]:
        """The tokens that should come next; a text that repeats itself goes on repeating."""
        if self._at < 0:
            return []
        guess = self._tokens[self._at : self._at + at_most]
        if BARRIER in guess:
            return guess[: guess.index(BARRIER)]
        while guess and len(guess) < at_most:  # the place is close behind the end
            guess += guess[: at_most - len(guess)]
        return guess

    def _index(self, tokens: Iterable[int]) -> None:
        known, latest, earlier = self._tokens, self._latest, self._earlier
        for token in tokens:
            known.append(token)
            place = len(known)
            if place >= KEY:
                key = (known[-3], known[-2], token)
                earlier.append(latest.get(key, -1))
                latest[key] = place
            else:
                earlier.append(-1)

    def _resume(self, token: int) -> None:
        """Go on copying close behind the lost place: one token was replaced, left out, added."""
        if self._lost < 0:
            return
        self._since += 1
        if self._since > WINDOW:
            self._lost = -1
            return
        end = min(self._lost + WINDOW, len(self._tokens) - self._since)
        try:
            self._at = self._tokens.index(token, self._lost, end) + 1
            self.matched = 1
        except ValueError:
            if self._since == 1 and self._lost + 1 < end:
                self._at = self._lost + 1  # as if one token had been replaced

    def _search(self) -> None:
        """Take the longest match anywhere when it is longer than the present one."""
        tokens, size = self._tokens, len(self._tokens)
        place = self._earlier[-1] if size else -1
        for _ in range(CANDIDATES):
            if place < 0:
                return
            length = KEY
            most = min(LONGEST, place)
            while length < most and tokens[place - 1 - length] == tokens[size - 1 - length]:
                length += 1
            if length > self.matched and tokens[place] != BARRIER:
                self._at, self.matched = place, length
            place = self._earlier[place - 1]
