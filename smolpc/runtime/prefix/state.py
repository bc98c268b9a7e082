"""The engine's own bytes of what a context computed: take them out, put them back."""

from __future__ import annotations

import ctypes
from typing import Any

from smolpc.runtime.prefix.matching import Memory

SEQUENCE = 0  # an engine's context has this one


def memory_of(llama: Any, model: Any) -> Memory:
    """What the memory of a loaded model can do; `oldest` is not looked at."""
    recurrent = llama.llama_model_is_recurrent(model) or llama.llama_model_is_hybrid(model)
    return Memory(cuts=not recurrent, window=max(0, llama.llama_model_n_swa(model)))


def oldest_position(llama: Any, context: Any) -> int:
    """The first position that the context holds completely; -1 when it is empty."""
    memory = llama.llama_get_memory(context)
    return int(llama.llama_memory_seq_pos_min(memory, SEQUENCE))


def size(llama: Any, context: Any) -> int:
    """Bytes that `save` would return."""
    return int(llama.llama_state_seq_get_size(context, SEQUENCE))


def save(llama: Any, context: Any) -> bytearray | None:
    """The computed rows of the context, or None where the engine or the memory has no way."""
    try:
        state = bytearray(size(llama, context))
    except MemoryError:
        return None
    if not state:
        return None
    view = (ctypes.c_uint8 * len(state)).from_buffer(state)
    count = llama.llama_state_seq_get_data(context, view, len(state), SEQUENCE)
    return state if count == len(state) else None


def load(llama: Any, context: Any, state: bytearray, tokens: int) -> bool:
    """Replace what the context holds by `state` of `tokens` rows. On False it may hold anything."""
    view = (ctypes.c_uint8 * len(state)).from_buffer(state)
    read = llama.llama_state_seq_set_data(context, view, len(state), SEQUENCE)
    memory = llama.llama_get_memory(context)
    last = llama.llama_memory_seq_pos_max(memory, SEQUENCE)
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
