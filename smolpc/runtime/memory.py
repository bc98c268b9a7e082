"""How much memory a model will take, before it is loaded."""

from __future__ import annotations

from pathlib import Path

import msgspec

from smolpc.gguf.source import local_file
from smolpc.gguf.split import read_model
from smolpc.plan.fit import estimate, shape_of
from smolpc.runtime.settings import fit_context
from smolpc.schema.fit import Device, FitSettings


def needed(path: Path, settings: FitSettings) -> int:
    """Bytes for weights, cache and buffers, wherever they will lie.

    Raises TrustError for a file that is no model.
    """
    header = read_model(path.name, lambda name: local_file(path.with_name(name)))
    shape = shape_of(header)
    context, _ = fit_context(settings.context or None, shape.trained_context)
    on_host = msgspec.structs.replace(settings, context=context, gpu_layers=0, split=())
    host = Device(name="CPU", kind="cpu", free=0, total=0)
    return estimate(shape, on_host, [host]).engine
