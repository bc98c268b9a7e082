"""The child of the trust tests: loads an artifact, computes, reports. It judges nothing.

    python -m smolpc.runtime.trust_child engine ARTIFACT_DIR LIB_DIR MODEL TOKENS_JSON
    python -m smolpc.runtime.trust_child model ARTIFACT_DIR LIB_DIR MODEL TOKENS_JSON

`engine` proves an artifact with a model whose results are known, `model` tries a model with
an artifact that is proved already.

It may crash, hang or be killed: that is why it is a process of its own. The report is one
line on stdout, MARKER and JSON; the engine may print around it.
"""

from __future__ import annotations

import ctypes
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smolpc.errors import SmolpcError
from smolpc.runtime import libraries
from smolpc.runtime.bindings import Bound, bind
from smolpc.runtime.layout import abi_table, wrong_defaults
from smolpc.runtime.loading import create_context, load_model
from smolpc.runtime.vocabulary import Vocabulary
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings

MARKER = "smolpc-trust-report "
THREADS = 2  # more than one, so that splitting the work is tested too
CONTEXT, STEPS = 256, 4  # tokens
TEXT = "Hello, how are you?"


def broken_libraries(folder: Path) -> dict[str, str]:
    """Name -> the loader's message, for every shared library in `folder` that fails."""
    broken = {}
    for path in libraries.listing(folder):
        try:
            ctypes.CDLL(str(path))
        except OSError as error:
            broken[path.name] = str(error)
    return broken


def plain(context: int, gpu_layers: int) -> RunSettings:
    """Settings for a test: `context` in tokens, 0 for the trained one; -1 for all layers."""
    return RunSettings(memory=FitSettings(context=context, gpu_layers=gpu_layers), threads=THREADS)


def logits(bound: Bound, model_path: Path, tokens: list[int], layers: int, step: int) -> Any:
    """Logits after each batch of `step` tokens, with `layers` on the GPU (-1: all)."""
    llama = bound.llama
    settings = plain(0, layers)
    model = load_model(bound, model_path, settings)
    size = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
    context = create_context(bound, model, settings)
    rows = {}
    for begin in range(0, len(tokens), step):
        part = (llama.llama_token * step)(*tokens[begin : begin + step])
        code = llama.llama_decode(context, llama.llama_batch_get_one(part, step))
        if code != 0:
            raise SmolpcError(f"decoding stopped with code {code}: {bound.log.tail()}")
        rows[begin + step - 1] = llama.llama_get_logits_ith(context, -1)[:size]
    llama.llama_free(context)
    llama.llama_model_free(model)
    return rows


def report(folder: Path, lib_dir: str, model: Path, tokens: list[int]) -> dict[str, Any]:
    """Everything the parent needs to judge, or as much as could be found out."""
    found: dict[str, Any] = {"error": ""}
    if not (folder / "python").is_dir():  # an engine without bindings: only its libraries
        return {**found, "broken_libraries": broken_libraries(folder / lib_dir)}
    try:
        bound = bind(folder, lib_dir)
        found["devices"] = bound.devices
        found["abi"] = abi_table(bound.llama)
        found["wrong_defaults"] = wrong_defaults(bound.llama)
        found["broken_libraries"] = broken_libraries(folder / lib_dir)
        gpu = any(device.is_gpu for device in bound.devices)
        # A batch and single tokens run different kernels, and so does each device.
        found["logits"] = {
            f"{name}, {step} at once": logits(bound, model, tokens, layers, step)
            for name, layers in {"processor": 0, **({"GPU": -1} if gpu else {})}.items()
            for step in (len(tokens), 1)
        }
    except SmolpcError as error:
        found["error"] = str(error)
    return found


def loaded(folder: Path, lib_dir: str, model_path: Path, _: list[int]) -> dict[str, Any]:
    """What a model is and how it computes: prefill of a short text, then single tokens.

    On the processor: every engine has it, and the file is what is in question. The context is
    small, so that it costs little beside the weights.
    """
    found: dict[str, Any] = {"error": ""}
    try:
        bound = bind(folder, lib_dir)
        found["devices"] = bound.devices
        llama = bound.llama
        model = load_model(bound, model_path, plain(CONTEXT, 0))
        text = ctypes.create_string_buffer(256)
        llama.llama_model_desc(model, text, len(text))
        handle = llama.llama_model_get_vocab(model)
        found["model"] = facts = {
            "description": text.value.decode("utf-8", "replace"),
            "parameters": llama.llama_model_n_params(model),
            "bytes": llama.llama_model_size(model),
            "context_length": llama.llama_model_n_ctx_train(model),
            "vocabulary": llama.llama_vocab_n_tokens(handle),
        }
        has_tokenizer = llama.llama_vocab_type(handle) != llama.LLAMA_VOCAB_TYPE_NONE
        if has_tokenizer and llama.llama_model_has_decoder(model):
            rows = decoded(bound, model, Vocabulary(llama, model))
            facts["steps"] = [spread(row) for row in rows]
        llama.llama_model_free(model)
    except SmolpcError as error:
        found["error"] = str(error)
    return found


def decoded(bound: Bound, model: Any, vocabulary: Vocabulary) -> Iterator[list[float]]:
    """The logits after a short text, and after each of the likeliest tokens that follow it."""
    llama = bound.llama
    context = create_context(bound, model, plain(CONTEXT, 0))
    tokens = vocabulary.tokens(TEXT) or [0]
    for _ in range(STEPS):
        batch = (llama.llama_token * len(tokens))(*tokens)
        code = llama.llama_decode(context, llama.llama_batch_get_one(batch, len(tokens)))
        row = llama.llama_get_logits_ith(context, -1) if code == 0 else None
        if not row:
            raise SmolpcError(f"decoding stopped with code {code}: {bound.log.tail()}")
        logits = row[: llama.llama_vocab_n_tokens(vocabulary.handle)]
        yield logits
        tokens = [max(range(len(logits)), key=logits.__getitem__)]
    llama.llama_free(context)


def spread(logits: list[float]) -> float | None:
    """Largest minus smallest logit; None where one of them is not a number."""
    return max(logits) - min(logits) if all(map(math.isfinite, logits)) else None


WHAT = {"engine": report, "model": loaded}


def main() -> None:
    what, folder, lib_dir, model, tokens = sys.argv[1:]
    found = WHAT[what](Path(folder), lib_dir, Path(model), json.loads(tokens))
    import msgspec

    sys.stdout.write(f"\n{MARKER}{msgspec.json.encode(found).decode()}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
