"""Greedy tokens and logits of one engine, with the layers on the devices that are named.

    python -m tests.integration.offload_child ARTIFACT LIB_DIR MODEL CASES

CASES is JSON: [{"devices": ["Vulkan0"], "layers": 10}, ...]. One JSON line is printed for
each: the placement, the tokens, the logits that chose each of them.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

from smolpc.runtime import placement
from smolpc.runtime.bindings import Bound, bind
from smolpc.runtime.loading import create_context, load_model
from smolpc.runtime.vocabulary import Vocabulary
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings

PROMPT = "Photosynthesis is the process by which plants"
TOKENS, CONTEXT, THREADS = 32, 512, 2


def case(bound: Bound, path: Path, settings: RunSettings) -> dict[str, Any]:
    """One load and 32 greedy tokens, with nothing between it and the engine's own functions."""
    llama = bound.llama
    with bound.log.recording() as lines:
        model = load_model(bound, path, settings)
    found = placement.read(lines)
    handle = create_context(bound, model, settings)
    vocabulary = Vocabulary(llama, model)
    size = llama.llama_vocab_n_tokens(vocabulary.handle)
    batch, chosen, rows = vocabulary.tokens(PROMPT), [], []
    for _ in range(TOKENS):
        part = (llama.llama_token * len(batch))(*batch)
        code = llama.llama_decode(handle, llama.llama_batch_get_one(part, len(batch)))
        assert code == 0, bound.log.tail()
        row = llama.llama_get_logits_ith(handle, -1)
        rows.append(list(ctypes.cast(row, ctypes.POINTER(ctypes.c_float * size)).contents))
        batch = [max(range(size), key=rows[-1].__getitem__)]
        chosen += batch
    text = b"".join(map(vocabulary.piece, chosen)).decode("utf-8", "replace")
    llama.llama_free(handle)
    llama.llama_model_free(model)
    return {
        "layers": found.layers,
        "weights": found.weights_on_gpu,
        "tokens": chosen,
        "text": text,
        "logits": rows,
    }


def main() -> None:
    artifact, lib_dir, model, cases = sys.argv[1:]
    bound = bind(Path(artifact), lib_dir)
    for each in json.loads(cases):
        memory = FitSettings(context=CONTEXT, gpu_layers=each["layers"])
        settings = RunSettings(memory=memory, threads=THREADS, devices=tuple(each["devices"]))
        print(json.dumps(case(bound, Path(model), settings)), flush=True)


if __name__ == "__main__":
    main()
