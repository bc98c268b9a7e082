"""The limit of one stored model on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator

from smolpc.bench.limit.peaks import measure
from smolpc.bench.limit.roof import bound
from smolpc.bench.limit.words import notes, sentence
from smolpc.bench.limit.work import decode, prefill
from smolpc.console import Reporter, Silent
from smolpc.errors import UsageError
from smolpc.models import storage
from smolpc.models.headers import header_of
from smolpc.net import NetSettings
from smolpc.plan import fit
from smolpc.plan.fit.cache import loadable
from smolpc.provision.running import Prepared
from smolpc.provision.target import host_for
from smolpc.schema.fit import FitSettings, Shape
from smolpc.schema.gguf import GgufHeader
from smolpc.schema.limit import LimitReport, Work
from smolpc.store import Store

DEPTH = 2048  # tokens in the context of a usual question about code
TOGETHER = 512  # tokens of a prompt that are computed at once


def limit(prepared: Prepared, reporter: Reporter | None = None) -> LimitReport:
    """Measure the peaks of this machine, and say what they allow with a stored model.

    The engine is not loaded. Takes about 6 seconds, and at most a quarter of the free memory.
    Raises TrustError for a damaged model, UsageError for a cache type that it cannot have.
    """
    chosen, record = prepared.settings, prepared.record
    path = storage.path_of(Store(chosen.store_path).models, record)
    header = header_of(path, NetSettings(offline=True))
    shape = fit.shape_of(header, trained_context=record.context_length or None)
    host, kv_type = host_for(chosen), chosen.kv_type or "f16"
    refused = loadable(shape, FitSettings(context=TOGETHER, kv_type=kv_type))
    if refused:
        raise UsageError(f"kv_type {kv_type}: {refused}", next_step="smolpc config.show")
    works = tuple(works_of(header, shape, chosen.ubatch or TOGETHER, kv_type))
    again, started = int(works[0].bytes), time.perf_counter()
    measured = measure(host, again, reporter or Silent())
    limits = tuple(bound(work, measured.peaks) for work in works)
    return LimitReport(
        model=record.name,
        model_sha256=record.sha256,
        weights=shape.weights,
        trained_context=shape.trained_context,
        kv_type=kv_type,
        memory=measured.memory,
        near=measured.near,
        matrices=measured.matrices,
        half=measured.half,
        integer=measured.integer,
        peaks=measured.peaks,
        limits=limits,
        others=measured.others,
        stolen=measured.stolen,
        seconds=round(time.perf_counter() - started, 1),
        sentence=sentence(limits),
        notes=tuple(notes(measured, host, again)),
    )


def works_of(header: GgufHeader, shape: Shape, together: int, kv_type: str) -> Iterator[Work]:
    """Decoding, then reading a prompt: with an empty context, a usual one and a full one."""
    full = shape.trained_context or DEPTH
    together = max(1, min(together, full))
    for depth in sorted({0, min(DEPTH, full - 1), full - 1}):
        yield decode(header, shape, depth, kv_type)
    for depth in sorted({0, min(DEPTH, full - together), full - together}):
        yield prefill(header, shape, depth, together, kv_type)
