"""The child of the trust test: loads an artifact, computes, reports. It judges nothing.

    python -m smolpc.runtime.trust_child ARTIFACT_DIR LIB_DIR MODEL TOKENS_JSON

It may crash, hang or be killed: that is why it is a process of its own. The report is one
line on stdout, MARKER and JSON; the engine may print around it.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

from smolpc.errors import SmolpcError
from smolpc.runtime import libraries
from smolpc.runtime.bindings import Bound, bind
from smolpc.runtime.layout import abi_table, wrong_defaults
from smolpc.runtime.loading import create_context, load_model

MARKER = "smolpc-trust-report "
THREADS = 2  # more than one, so that splitting the work is tested too


def broken_libraries(folder: Path) -> dict[str, str]:
    """Name -> the loader's message, for every shared library in `folder` that fails."""
    broken = {}
    for path in libraries.listing(folder):
        try:
            ctypes.CDLL(str(path))
        except OSError as error:
            broken[path.name] = str(error)
    return broken


def logits(bound: Bound, model_path: Path, tokens: list[int], layers: int, step: int) -> Any:
    """Logits after each batch of `step` tokens, with `layers` on the GPU (-1: all)."""
    llama = bound.llama
    model = load_model(bound, model_path, layers)
    size = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
    context = create_context(bound, model, 0, THREADS)
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


def main() -> None:
    folder, lib_dir, model, tokens = sys.argv[1:]
    found = report(Path(folder), lib_dir, Path(model), json.loads(tokens))
    import msgspec

    sys.stdout.write(f"\n{MARKER}{msgspec.json.encode(found).decode()}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
