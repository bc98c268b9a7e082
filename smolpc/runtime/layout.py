"""The memory layout that the bindings assume, and whether the engine's defaults fit it."""

from __future__ import annotations

import ctypes
from typing import Any

from smolpc.runtime.threadpool import ThreadpoolParams

# The structs that cross the border by value or are read by Python.
STRUCTS = (
    "llama_token_data",
    "llama_token_data_array",
    "llama_batch",
    "llama_model_params",
    "llama_context_params",
    "llama_sampler_chain_params",
    "llama_perf_context_data",
)

# Documented defaults (llama.h; llama-context.cpp, llama-model.cpp). The booleans lie at the
# end of the structs: with one field too few or too many before them they read wrong.
DEFAULTS: dict[str, dict[str, int | bool]] = {
    "llama_context_params": {
        "n_ctx": 512,
        "embeddings": False,
        "offload_kqv": True,
        "no_perf": True,
        "op_offload": True,
        "n_samplers": 0,
    },
    "llama_model_params": {
        "vocab_only": False,
        "check_tensors": False,
        "use_extra_bufts": True,
        "no_host": False,
    },
    "llama_sampler_chain_params": {"no_perf": True},
}


def abi_table(llama: Any) -> dict[str, int]:
    """Sizes and offsets in bytes: `"llama_batch"` -> size, `"llama_batch.token"` -> offset."""
    table: dict[str, int] = {}
    structs = {name: getattr(llama, name) for name in STRUCTS}
    structs["ggml_threadpool_params"] = ThreadpoolParams
    for name, struct in structs.items():
        table[name] = ctypes.sizeof(struct)
        for field in struct._fields_:
            table[f"{name}.{field[0]}"] = getattr(struct, field[0]).offset
    return table


def wrong_defaults(llama: Any) -> list[str]:
    """Sentences about default parameters that do not read as llama.h documents them."""
    wrong = []
    for struct, expected in DEFAULTS.items():
        params = getattr(llama, struct.replace("_params", "_default_params"))()
        wrong += [
            f"{struct}.{field} reads {getattr(params, field)}, not {value}"
            for field, value in expected.items()
            if getattr(params, field) != value
        ]
    threads = llama.llama_context_default_params().n_threads
    if not 0 < threads <= 4096:
        wrong.append(f"llama_context_params.n_threads reads {threads}")
    return wrong
