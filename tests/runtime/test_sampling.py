"""The likeliest token, and seeds."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from smolpc.errors import SmolpcError
from smolpc.runtime.sampling import Choose, _links, likeliest
from smolpc.schema.running import Sampling

NAN = float("nan")


def choosing(logits: Sequence[float]) -> Choose:
    row = (ctypes.c_float * len(logits))(*logits)
    pointer = ctypes.cast(row, ctypes.POINTER(ctypes.c_float))
    llama = SimpleNamespace(llama_get_logits_ith=lambda context, position: pointer, keep=row)
    vocabulary: Any = SimpleNamespace(size=len(logits))
    return likeliest(llama, None, vocabulary)


def test_the_first_of_equals_is_taken() -> None:
    assert choosing([1, 3, 2, 3])(-1) == 1


def test_what_is_not_a_number_is_never_chosen() -> None:
    assert choosing([1, NAN, 3, 2])(-1) == 2


def test_a_model_that_computes_no_numbers_is_an_error() -> None:
    with pytest.raises(SmolpcError, match="not numbers"):
        choosing([NAN, NAN])(-1)


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 2, 2**32 - 1])
def test_no_seed_is_the_one_that_the_engine_takes_for_none(seed: int) -> None:
    seeds: list[int] = []

    class Llama:
        def llama_sampler_init_dist(self, seed: int) -> None:
            seeds.append(seed)

        def __getattr__(self, name: str) -> Any:
            return lambda *_: None

    make: Any = SimpleNamespace(llama=Llama())
    _links(make, Sampling(temperature=1), [1], seed)
    assert seeds[0] != 0xFFFFFFFF
