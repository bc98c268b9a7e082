"""A model file into memory and a context for it, with every NULL turned into an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smolpc.errors import PrerequisiteError, TrustError, UsageError
from smolpc.runtime.bindings import Bound
from smolpc.runtime.interrupts import ctrl_c_noted

MAGIC = b"GGUF"


def load_model(bound: Bound, path: Path, gpu_layers: int) -> Any:
    """The engine's handle of the model in `path`; `gpu_layers` -1 means all.

    Raises UsageError when there is no file and TrustError when the engine refuses it.
    """
    if not path.is_file():
        raise UsageError(
            f"there is no model file {path.name}",
            why=f"{path} does not exist",
            next_step="smolpc models.list",
        )
    with path.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise TrustError(
                f"{path.name} is not a GGUF model",
                why=f"the file does not begin with {MAGIC.decode()}",
                next_step="smolpc models.verify",
            )
    params = bound.llama.llama_model_default_params()
    params.n_gpu_layers = gpu_layers
    bound.log.lines.clear()
    with ctrl_c_noted() as pressed:  # gigabytes may have to be read
        params.progress_callback = bound.llama.llama_progress_callback(
            lambda _, __: not pressed.is_set()
        )
        model = bound.llama.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        raise TrustError(
            f"the engine cannot load {path.name}",
            why=bound.log.tail() or "it gave no reason",
            next_step="smolpc models.verify",
        )
    return model


def create_context(bound: Bound, model: Any, context: int, threads: int) -> Any:
    """A context of `context` tokens. Raises PrerequisiteError when memory does not suffice."""
    params = bound.llama.llama_context_default_params()
    params.n_ctx = context
    params.n_threads = params.n_threads_batch = threads
    bound.log.lines.clear()
    with ctrl_c_noted():  # the engine's log calls back
        handle = bound.llama.llama_init_from_model(model, params)
    if not handle:
        raise PrerequisiteError(
            f"the engine cannot create a context of {context} tokens",
            why=bound.log.tail() or "probably there is not enough memory",
            next_step=f"smolpc run --context {max(256, min(4096, context // 2))} --prompt '...'",
        )
    return handle
