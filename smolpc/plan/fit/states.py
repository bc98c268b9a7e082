"""The state of recurrent layers (Mamba, RWKV, delta nets, short convolutions).

Source: `llama_hparams::n_embd_r` and `n_embd_s` in llama-hparams.cpp of the pinned engine;
llama-memory-recurrent.cpp keeps both in F32, one row for each sequence.
"""

from __future__ import annotations

from collections.abc import Callable

from smolpc.schema.base import Value

F32 = 4


class Recurrent(Value, kw_only=True):
    """One recurrent layer: bytes of its state, and the widths its graph works with."""

    state: int = 0
    inner: int = 0
    projected: int = 0
    convolved: int = 0


def recurrent(number: Callable[[str], int], embedding: int, heads: int) -> Recurrent:
    """`number` reads an integer of the architecture's metadata, 0 when it is not there."""
    if size := number("wkv.head_size"):
        shifts = number("token_shift_count") or 2
        return Recurrent(state=(shifts * embedding + embedding * size) * F32, inner=embedding * 2)
    if kept := number("shortconv.l_cache"):
        return Recurrent(state=embedding * (kept - 1) * F32, convolved=embedding * 3)
    kernel = number("ssm.conv_kernel")
    if head := number("kda.head_dim"):
        inner = heads * head
        row = 3 * (kernel - 1 if kernel else 3) * inner
        return Recurrent(state=(row + head * inner) * F32, inner=inner, convolved=3 * inner)
    inner, size = number("ssm.inner_size"), number("ssm.state_size")
    groups, rank = number("ssm.group_count"), number("ssm.time_step_rank")
    channels = inner + 2 * groups * size
    return Recurrent(
        state=(max(kernel - 1, 0) * channels + size * inner) * F32,
        inner=inner,
        projected=inner + channels + rank,
        convolved=channels,
    )
