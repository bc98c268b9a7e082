"""An engine whose computed rows tell how they came about, as rounding does in the real one.

Only the functions that prompt reuse calls, with the engine's own behaviour: a recurrent memory
cannot be cut, a stored state lacks what left the attention window, a small batch rounds in
another way than a large one, and a state of another kind is refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from smolpc.runtime.prefix.matching import ROWS, batches

LOST = None  # a row that left the window


class RowEngine:
    """The bindings, the model, the context and its memory in one."""

    def __init__(self, *, recurrent: bool = False, window: int = 0, batch: int = 128) -> None:
        self.recurrent, self.window, self.batch = recurrent, window, batch
        self.rows: list[int | None] = []

    def compute(self, tokens: Sequence[int]) -> int:
        """Compute what `tokens` has beyond the rows that are there; the last row is the logits."""
        for size in batches(len(tokens) - len(self.rows), self.batch):
            begin = len(self.rows)
            for place, token in enumerate(tokens[begin : begin + size]):
                uneven = place >= size // 4 * 4
                self.add(token, "small" if size < ROWS else "uneven" if uneven else "usual")
        assert self.rows[-1] is not None
        return self.rows[-1]

    def add(self, token: int, way: str) -> None:
        seen = self.rows[-self.window :] if self.window else self.rows[-1:]
        assert LOST not in seen, "a row was computed that needs one which is gone"
        self.rows.append(hash((token, way, seen[-1] if seen else 0)))

    def llama_model_is_recurrent(self, model: Any) -> bool:
        return self.recurrent

    def llama_model_is_hybrid(self, model: Any) -> bool:
        return False

    def llama_model_n_swa(self, model: Any) -> int:
        return self.window

    def llama_n_ctx_seq(self, context: Any) -> int:
        return 4096

    def llama_get_memory(self, context: Any) -> Any:
        return self

    def llama_memory_clear(self, memory: Any, data: bool) -> None:
        self.rows.clear()

    def llama_memory_seq_rm(self, memory: Any, sequence: int, first: int, last: int) -> bool:
        if self.recurrent and first < len(self.rows):
            return False
        del self.rows[first : None if last < 0 else last]
        return True

    def llama_memory_can_shift(self, memory: Any) -> bool:
        return True

    def llama_memory_seq_add(
        self, memory: Any, sequence: int, first: int, last: int, delta: int
    ) -> None:
        """Rows have no positions here."""

    def llama_memory_seq_pos_min(self, memory: Any, sequence: int) -> int:
        return next((n for n, row in enumerate(self.rows) if row is not LOST), -1)

    def llama_memory_seq_pos_max(self, memory: Any, sequence: int) -> int:
        return len(self.rows) - 1

    def _state(self, sequence: int) -> bytes:
        """Of a sequence what the next token needs; of all of them (-1) what there is."""
        lost = max(0, len(self.rows) - self.window) if self.window and sequence >= 0 else 0
        return json.dumps([LOST] * lost + self.rows[lost:]).encode()

    def llama_state_seq_get_size(self, context: Any, sequence: int) -> int:
        return len(self._state(sequence))

    def llama_state_seq_get_data(self, context: Any, out: Any, size: int, sequence: int) -> int:
        state = self._state(sequence)
        out[: len(state)] = state
        return len(state)

    def llama_state_seq_set_data(self, context: Any, data: Any, size: int, sequence: int) -> int:
        try:
            rows = json.loads(bytes(data))
        except ValueError:
            return 0
        self.rows = rows
        return size
