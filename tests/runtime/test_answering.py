"""Answers of one model that are read from several threads, with a simulated engine."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from smolpc.runtime.answering import Answer
from smolpc.runtime.stream import Stream
from smolpc.runtime.turns import LOOK, Turns
from smolpc.schema.running import Request


class SimLoaded(SimpleNamespace):
    """A model that always says "ho ho ho ...", one token a word."""

    def __init__(self) -> None:
        super().__init__(
            turns=Turns(),
            context=100,
            chooser=lambda *_: nullcontext(),
            decoder=SimpleNamespace(tokens=lambda *_: iter(range(50))),
            vocabulary=SimpleNamespace(is_end=lambda _: False, piece=lambda _: b"ho "),
            guessing=SimpleNamespace(drafter=lambda *_: None, notes=()),
            prefix=SimpleNamespace(notes=lambda: ()),
            settings=SimpleNamespace(prompt_cache="auto", threads=1),
            bound=SimpleNamespace(devices=()),
            model=SimpleNamespace(name="santa", sha256=""),
            artifact=SimpleNamespace(key=""),
            load_seconds=0.0,
            gpu_layers=0,
            backend="cpu",
            layers={},
            notes=(),
        )

    def stream(self) -> Stream:
        loaded: Any = self
        stopped = threading.Event()
        answer = Answer(loaded, Request(max_tokens=4), [1, 2], ())
        return Stream(answer.pieces(stopped), stopped)


def test_two_answers_in_a_pool_that_reads_each_piece_in_any_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded = SimLoaded()
    first, second = loaded.stream(), loaded.stream()
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        assert one.submit(next, first).result().text == "ho "
        begun = one.submit(next, second)
        while not loaded.turns.waiting and not begun.done():
            time.sleep(0.001)
        assert other.submit(next, first).result().text == "ho "
        monkeypatch.setattr("smolpc.runtime.turns.PATIENCE", 0.0)
        time.sleep(3 * LOOK)
        assert other.submit(lambda: first.result).result().text == "ho ho ho ho "
        assert begun.result(timeout=10).text == "ho "
    assert second.result.text == "ho ho ho ho "
