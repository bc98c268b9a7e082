"""How the next token is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from smolpc.schema.running import Request

if TYPE_CHECKING:
    from smolpc.runtime.loaded import Loaded


@contextmanager
def sampler(loaded: Loaded, request: Request, seed: int) -> Iterator[Any]:
    """A sampler chain for one answer, freed at the end. The same `seed` draws the same."""
    llama, wanted = loaded.bound.llama, request.sampling
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    links = (
        [llama.llama_sampler_init_greedy()]
        if wanted.temperature <= 0
        else [
            llama.llama_sampler_init_top_k(wanted.top_k),
            llama.llama_sampler_init_top_p(wanted.top_p, 1),
            llama.llama_sampler_init_min_p(wanted.min_p, 1),
            llama.llama_sampler_init_temp(wanted.temperature),
            llama.llama_sampler_init_dist(seed),
        ]
    )
    for link in links:
        llama.llama_sampler_chain_add(chain, link)  # the chain owns and frees its links
    try:
        yield chain
    finally:
        llama.llama_sampler_free(chain)
