"""The token loop with an engine that must not be touched once another thread may free it."""

from __future__ import annotations

import ctypes
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from smolpc.errors import UsageError
from smolpc.runtime.busy import Pace
from smolpc.runtime.decoding import Decoder, Tally


class Llama:
    """Every function gives 0, but these."""

    llama_token = ctypes.c_int32
    ggml_abort_callback = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p)

    def llama_n_ctx_seq(self, context: Any) -> int:
        return 100

    def llama_n_ubatch(self, context: Any) -> int:
        return 64

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: 0


class Lockless(Pace):
    """Notes whether the engine could have been freed while its threads were set."""

    def __init__(self) -> None:
        super().__init__(1, lambda _: None)
        self.unguarded = 0
        self.decoder: Any = None

    def worked(self, seconds: float, threads: int) -> None:
        self.unguarded += not self.decoder._computing.locked()


def test_threads_are_changed_only_while_nobody_can_free_the_context() -> None:
    bound: Any = SimpleNamespace(llama=Llama())
    pace = Lockless()
    pace.decoder = decoder = Decoder(bound, None, None, pace)
    tokens = decoder.tokens([1, 2, 3], lambda _: 5, Tally(), threading.Event())
    assert [next(tokens) for _ in range(4)] == [5] * 4
    assert pace.unguarded == 0
    decoder.close(lambda: None)
    with pytest.raises(UsageError, match="closed"):
        next(tokens)
