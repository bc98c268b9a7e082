"""How the next token is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# llama.cpp's own defaults (common/common.h, common_params_sampling).
TOP_K = 40
TOP_P = 0.95
MIN_P = 0.05


@contextmanager
def sampler(llama: Any, temperature: float, seed: int) -> Iterator[Any]:
    """A sampler chain for one generation, freed at the end.

    Temperature 0 always takes the likeliest token; above it the choice is drawn, and the
    same `seed` draws the same.
    """
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    links = (
        [llama.llama_sampler_init_greedy()]
        if temperature <= 0
        else [
            llama.llama_sampler_init_top_k(TOP_K),
            llama.llama_sampler_init_top_p(TOP_P, 1),
            llama.llama_sampler_init_min_p(MIN_P, 1),
            llama.llama_sampler_init_temp(temperature),
            llama.llama_sampler_init_dist(seed),
        ]
    )
    for link in links:
        llama.llama_sampler_chain_add(chain, link)  # the chain owns and frees its links
    try:
        yield chain
    finally:
        llama.llama_sampler_free(chain)
