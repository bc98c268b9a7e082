"""After a Ctrl-C anywhere, `held` names no token that the engine does not hold."""

from __future__ import annotations

from typing import Any

import pytest

from smolpc.runtime.cache import Cache
from tests.sim.rows import RowEngine

CALLS = ("llama_memory_seq_rm", "llama_memory_clear", "llama_memory_seq_add")


def interrupted_after(engine: RowEngine, name: str) -> None:
    """Ctrl-C during the engine's call `name`: Python raises when it has returned."""
    call = getattr(engine, name)

    def press(*arguments: Any) -> None:
        setattr(engine, name, call)
        call(*arguments)
        raise KeyboardInterrupt

    setattr(engine, name, press)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("what", ["keep", "empty", "drop"])
def test_ctrl_c_leaves_what_tidy_can_mend(call: str, recurrent: bool, what: str) -> None:
    engine = RowEngine(recurrent=recurrent)
    cache = Cache(engine, None)
    tokens = list(range(100))
    engine.compute(tokens)
    rows = engine.rows[:]
    cache.held[:] = tokens
    interrupted_after(engine, call)
    try:
        if what == "drop":
            cache.drop(20, 30)
        else:
            cache.keep(50 if what == "keep" else 0)
    except KeyboardInterrupt:
        cache.tidy()
        assert cache.held == tokens[: len(cache.held)]
        assert engine.rows == rows[: len(cache.held)]
    assert len(engine.rows) == len(cache.held)
