"""What a stored state belongs to. Another value anywhere here means another folder."""

from __future__ import annotations

from smolpc.runtime.prefix.header import FORMAT
from smolpc.schema.base import Value, digest_of


class StateKey(Value, kw_only=True):
    """The model, the engine, and the settings that change what the engine computes.

    Threads, batch sizes and the like are not in it. The context is only where the model's
    positions depend on it (else 0).
    """

    format: int = FORMAT
    model: str  # sha256 of the model's file
    artifact: str  # key of the engine
    kv_type: str = "f16"
    flash: str = "auto"
    full_window: bool = False
    gpu_layers: int = 0
    devices: tuple[str, ...] = ()  # the GPUs that are used
    context: int = 0
    kernels: str = ""  # see `Bound`: other instruction sets round differently

    @property
    def digest(self) -> str:
        return digest_of(self)
