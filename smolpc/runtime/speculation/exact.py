"""How many tokens in one batch this engine computes bit for bit as it computes single tokens.

Only within that limit an answer with speculation is certain to be the one without. It depends
on the kernels: of the weights' format, of attention, of the device. They may change with the
depth of the context, so each power of two of the depth is tried once, when a draft is first
checked there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from smolpc.runtime.speculation.pace import LONGEST

# Largest first. Kernels for whole tiles of four tokens may round differently from those for
# one token; what is left over, up to three tokens, is computed one by one.
BATCHES = (LONGEST + 1, 3)
TRIED = 17  # tokens in the trial of a large batch: the largest tile that kernels use, and a rest
COMPARED = 4  # of them are computed one by one too
SHALLOW = 8  # below 2^8 tokens everything is one depth

# Batches of tokens, one after the other behind what the context holds -> the logits of each token.
Compute = Callable[[Sequence[Sequence[int]]], list[bytes]]


class Exact:
    """What was found out for one context; `compute` leaves the context as it was."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute
        self._limits: dict[int, int] = {}

    def limit(self, depth: int) -> int:
        """The largest exact batch with `depth` tokens in the context; the best case if untried.

        It never reaches into the next power of two, where other kernels may work.
        """
        size = _size(depth)
        return min(self._limits.get(size, BATCHES[0]), (1 << size) - depth)

    @property
    def failed(self) -> bool:
        """Whether the engine was seen to round a batch differently."""
        return any(limit < BATCHES[0] for limit in self._limits.values())

    def ensure(self, depth: int, tokens: Sequence[int]) -> bool:
        """Find the limit for this depth, with any `tokens`. False: that is not possible here."""
        if _size(depth) in self._limits:
            return True
        if self.limit(depth) < TRIED:
            return False
        sample = (list(tokens) * TRIED)[:TRIED]
        alone = self._compute([[token] for token in sample[:COMPARED]])
        for batch in BATCHES:
            together = self._compute([sample[:batch]])
            if together[:COMPARED] == alone[:batch]:
                break
        else:
            batch = 1
        self._limits[_size(depth)] = batch
        return True


def _size(depth: int) -> int:
    return max(depth.bit_length(), SHALLOW)
