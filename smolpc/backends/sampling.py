"""How tokens are chosen, in the names that llama-server and Ollama share."""

from __future__ import annotations

from typing import Any

from smolpc.schema.running import Sampling


def fields(sampling: Sampling, seed: int) -> dict[str, Any]:
    """The fields of a request, for llama-server or for Ollama's `options`."""
    return {
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repeat_penalty,
        "repeat_last_n": sampling.repeat_last,
        "seed": seed,
    }
