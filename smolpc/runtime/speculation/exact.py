"""Whether this engine computes a batch bit for bit as it computes single tokens.

Only then is an answer with speculation certain to be the one without. It depends on the
kernels: of the weights' format, of attention, of the device. They change with the depth of the
context, so each power of two of the depth is tried once, when a draft is first checked there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

ROWS = 16  # tokens of the batch that is tried
COMPARED = 5  # of them are computed one by one too: a tile of four and a rest
SHALLOW = 8  # below 2^8 tokens everything is one depth

# Batches of tokens, one after the other behind what the context holds -> the logits of each token.
Compute = Callable[[Sequence[Sequence[int]]], list[bytes]]


class Exact:
    """What was found out for one context; `compute` leaves the context as it was."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute
        self._found: dict[int, bool] = {}

    @property
    def failed(self) -> bool:
        """Whether a difference was seen at any depth."""
        return not all(self._found.values())

    def holds(self, depth: int, tokens: Sequence[int]) -> bool:
        """Whether batches are exact with `depth` tokens in the context; any `tokens` will do."""
        size = max(depth.bit_length(), SHALLOW)
        if size not in self._found:
            sample = (list(tokens) * ROWS)[:ROWS]
            together = self._compute([sample])[:COMPARED]
            alone = self._compute([[token] for token in sample[:COMPARED]])
            self._found[size] = together == alone
        return self._found[size]
