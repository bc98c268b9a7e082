"""The engine's own bytes of what a context computed: take them out, put them back."""

from __future__ import annotations

import ctypes
from typing import Any

from smolpc.runtime.prefix.matching import Memory

SEQUENCE, ALL = 0, -1  # an engine's context has one sequence; all of them, as they are


class States:
    """The bytes of one model's contexts.

    Of a sequence the engine takes out what the next token needs, which leaves out the rows
    that its attention window has passed. A context with `full_window` holds those, too: it is
    taken out as a whole, so that what is loaded can be cut at any token.
    """

    def __init__(self, llama: Any, model: Any, *, full_window: bool = False) -> None:
        self._llama = llama
        recurrent = llama.llama_model_is_recurrent(model) or llama.llama_model_is_hybrid(model)
        window = max(0, llama.llama_model_n_swa(model))
        self._sequence = ALL if window and full_window else SEQUENCE
        # what the model's memory can do; `oldest` is not looked at
        self.memory = Memory(cuts=not recurrent, window=0 if full_window else window)

    def oldest_position(self, context: Any) -> int:
        """The first position that the context holds completely; -1 when it is empty."""
        memory = self._llama.llama_get_memory(context)
        return int(self._llama.llama_memory_seq_pos_min(memory, SEQUENCE))

    def size(self, context: Any) -> int:
        """Bytes that `save` would return."""
        return int(self._llama.llama_state_seq_get_size(context, self._sequence))

    def save(self, context: Any) -> bytearray | None:
        """The computed rows of the context, or None where the engine or the memory has no way."""
        try:
            state = bytearray(self.size(context))
        except MemoryError:
            return None
        if not state:
            return None
        view = (ctypes.c_uint8 * len(state)).from_buffer(state)
        get = self._llama.llama_state_seq_get_data
        return state if get(context, view, len(state), self._sequence) == len(state) else None

    def load(self, context: Any, state: bytearray, tokens: int) -> bool:
        """Replace what the context holds by `state` of `tokens` rows. On False it may hold
        anything."""
        view = (ctypes.c_uint8 * len(state)).from_buffer(state)
        read = self._llama.llama_state_seq_set_data(context, view, len(state), self._sequence)
        memory = self._llama.llama_get_memory(context)
        last = self._llama.llama_memory_seq_pos_max(memory, SEQUENCE)
        return bool(read == len(state) and last == tokens - 1)


def depends_on_context(llama: Any, model: Any) -> bool:
    """Whether the rows depend on the size of the context: some models ("longrope") turn
    positions in another way when it is larger than what they were first trained for."""
    buffer = ctypes.create_string_buffer(128)

    def value(name: bytes) -> bytes:
        count = llama.llama_model_meta_val_str(model, name, buffer, len(buffer))
        return buffer.value if count >= 0 else b""

    kind = value(b"general.architecture")
    return bool(value(kind + b".rope.scaling.original_context_length"))
