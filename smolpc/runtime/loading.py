"""A model file into memory and a context for it, with every NULL turned into an error."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smolpc.errors import PrerequisiteError, TrustError, UsageError
from smolpc.runtime.bindings import Bound
from smolpc.runtime.interrupts import ctrl_c_noted
from smolpc.runtime.placement import refused_by
from smolpc.runtime.speculation.pace import LONGEST
from smolpc.schema.running import RunSettings

MAGIC = b"GGUF"
FLASH = {"auto": -1, "off": 0, "on": 1}  # enum llama_flash_attn_type, llama.h


# How the engine and the systems say it, in lower case.
SHORT = ("allocate memory", "insufficient memory", "to allocate", "out of memory", "outofmemory")


class OutOfMemory(PrerequisiteError):
    """The model, or a context of the size that was asked for, does not fit into memory."""


class DeviceMemoryError(OutOfMemory):
    """A GPU has less free memory than the model needs; fewer layers on it may work."""


class TensorOverride(ctypes.Structure):
    """`struct llama_model_tensor_buft_override`, llama.h: a pattern of names, where they go."""

    _fields_ = (("pattern", ctypes.c_char_p), ("buffer_type", ctypes.c_void_p))


def load_model(bound: Bound, path: Path, settings: RunSettings) -> Any:
    """The engine's handle of the model in `path`; `gpu_layers` -1 means all.

    Raises UsageError when there is no file or a device has no such name, and TrustError when
    the engine refuses the file, OutOfMemory when it does not fit (DeviceMemoryError: on a GPU).
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
    memory = settings.memory
    params = bound.llama.llama_model_default_params()
    params.n_gpu_layers = memory.gpu_layers
    kept = []  # what the engine reads through pointers
    if memory.gpu_layers == 0 or settings.devices:
        names = settings.devices if memory.gpu_layers else ()
        handles = [_device(bound, name) for name in names]
        kept.append(devices := (ctypes.c_void_p * (len(handles) + 1))(*handles, None))
        params.devices = ctypes.addressof(devices)
    if memory.split:
        most = bound.llama.llama_max_devices()
        params.tensor_split = (ctypes.c_float * most)(*memory.split[:most])
    if memory.cpu_experts:
        kept.append(overrides := _experts_on_cpu(bound, memory.cpu_experts))
        params.tensor_buft_overrides = ctypes.addressof(overrides)
    bound.log.lines.clear()
    model = None
    with _freed_on_ctrl_c(
        lambda: bound.llama.llama_model_free(model) if model else None
    ) as pressed:
        params.progress_callback = bound.llama.llama_progress_callback(
            lambda _, __: not pressed.is_set()
        )
        model = bound.llama.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        _require_device_memory(bound)
    if not model and short_of_memory(bound.log.tail()):
        raise OutOfMemory(
            f"there is not enough memory for {path.name}",
            why=bound.log.tail(),
            next_step="close other programs, or take a smaller model: smolpc models.recommend",
        )
    if not model:
        raise TrustError(
            f"the engine cannot load {path.name}",
            why=bound.log.tail() or "it gave no reason",
            next_step="smolpc models.verify",
        )
    return model


@contextmanager
def _freed_on_ctrl_c(free: Callable[[], None]) -> Iterator[threading.Event]:
    """`ctrl_c_noted`, because the engine calls back and may have gigabytes to read; `free` what
    it made where a Ctrl-C means that nobody gets it."""
    try:
        with ctrl_c_noted() as pressed:
            yield pressed
    except BaseException:
        free()
        raise


def _require_device_memory(bound: Bound) -> None:
    """Raise DeviceMemoryError when the last failure was a GPU's memory, as the log tells."""
    if device := refused_by(bound.log.lines):
        raise DeviceMemoryError(
            f"{device} has too little free memory",
            why=bound.log.tail(),
            next_step="close other programs that use the GPU, or put fewer layers on it",
        )


def short_of_memory(text: str) -> bool:
    """Whether the engine's words mean that memory did not suffice."""
    text = text.lower()
    return any(words in text for words in SHORT)


def _device(bound: Bound, name: str) -> int:
    handle = bound.ggml.handle(name)
    if handle is None:
        raise UsageError(
            f"the engine has no device {name}",
            why=f"it has {', '.join(device.name for device in bound.devices) or 'none'}",
            next_step="smolpc doctor",
        )
    return handle


def _experts_on_cpu(bound: Bound, layers: int) -> Any:
    """The matrices of all experts in the first `layers` layers, kept in host memory."""
    numbers = "|".join(map(str, range(layers)))
    pattern = rf"blk\.({numbers})\.ffn_(up|down|gate|gate_up)_(ch|)exps"
    on_cpu = TensorOverride(pattern.encode(), bound.ggml.cpu_buffer_type())
    return (TensorOverride * 2)(on_cpu, TensorOverride())


def create_context(bound: Bound, model: Any, settings: RunSettings) -> Any:
    """A context as `settings` want it. Raises OutOfMemory, or PrerequisiteError when the engine
    cannot do it for another reason."""
    memory, llama = settings.memory, bound.llama
    params = llama.llama_context_default_params()
    params.n_ctx = memory.context
    params.n_batch, params.n_ubatch = memory.batch, memory.ubatch
    params.n_outputs_max_per_seq = 1 + LONGEST  # each takes a row of logits
    params.n_threads = settings.threads
    params.n_threads_batch = settings.batch_threads or settings.threads
    params.flash_attn_type = FLASH[memory.flash]
    params.type_k = params.type_v = getattr(llama, f"GGML_TYPE_{memory.kv_type.upper()}")
    params.swa_full = memory.full_window
    bound.log.lines.clear()
    handle = None
    with _freed_on_ctrl_c(lambda: llama.llama_free(handle) if handle else None):
        handle = llama.llama_init_from_model(model, params)
    if not handle:
        _require_device_memory(bound)
        context, why = memory.context, bound.log.tail()
        kind = OutOfMemory if short_of_memory(why) else PrerequisiteError
        raise kind(
            f"the engine cannot create a context of {context} tokens",
            why=why or "probably there is not enough memory",
            next_step=f"smolpc run --context {max(256, min(4096, context // 2))} --prompt '...'",
        )
    return handle
