"""How much memory a model needs here: its shape from the best source there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from smolpc import pypi
from smolpc.errors import NetworkError, TrustError, UsageError
from smolpc.models import pins, places, storage
from smolpc.models.headers import header_of
from smolpc.net import NetSettings
from smolpc.plan import fit
from smolpc.plan.fit.cache import loadable
from smolpc.schema.base import Value
from smolpc.schema.fit import Choice, Device, Shape
from smolpc.schema.fit_report import EstimateReport, SizedFrom
from smolpc.schema.gguf import GgufHeader
from smolpc.schema.model import FileSource, ModelManifest
from smolpc.store import Store

QUICK = {"connect_timeout": 3.0, "stall_timeout": 5.0, "attempts": 1}  # seconds, tries
HELP = "smolpc --help models.estimate"
MOST_BATCH = 8192
SOURCES: dict[SizedFrom, str] = {
    "file": "the header of the file on this machine",
    "web": "the header of the file on the web",
    "manifest": "the numbers of its manifest",
    "size": "the size of its file alone",
}


class Sized(Value, kw_only=True):
    shape: Shape
    source: SizedFrom
    notes: tuple[str, ...] = ()


class Wishes(Value, kw_only=True):
    """What the user fixed; 0, "" and None: chosen for him."""

    context: int = 0  # tokens
    kv_type: str = ""
    gpu_layers: int | None = None
    batch: int = 0  # tokens computed at once (n_ubatch)


def wishes(context: int, kv_type: str, gpu_layers: int, batch: int) -> Wishes:
    """The options of `models.estimate`; `gpu_layers` -1: chosen for him. Raises UsageError for
    numbers that make no sense for any model."""
    for flag, value, least, why in (
        ("--ctx", context, 0, "it is a number of tokens; 0: as many as fit, up to 32768"),
        ("--batch", batch, 0, "it is a number of tokens; 0: as many as are quick and fit"),
        ("--gpu-layers", gpu_layers, -1, "it is a number of layers; -1: as many as fit"),
    ):
        if value < least:
            raise UsageError(f"{flag} cannot be {value}", why=why, next_step=HELP)
    layers = gpu_layers if gpu_layers >= 0 else None
    return Wishes(context=context, kv_type=kv_type, gpu_layers=layers, batch=batch)


def shape_for(
    manifest: ModelManifest,
    store: Store,
    *,
    offline: bool = False,
    net: NetSettings | None = None,
    known: places.Mirrors | None = None,
) -> Sized:
    """The shape of the model, from its file where that is here, else from the web when it
    answers quickly, else from the manifest; `notes` say what went wrong on the way. `net`
    None: the machine's own settings, read only when the web is asked.

    Raises TrustError for a damaged file, NetworkError or UsageError when neither file nor
    manifest tells enough.
    """
    trained = manifest.context_length or None
    header = _header_here(manifest, store)
    if header is not None:
        return Sized(shape=fit.shape_of(header, trained_context=trained), source="file")
    notes: list[str] = []
    numbered = manifest.architecture is not None
    if not (offline or (net is not None and net.offline)):
        net = net or pypi.load().net
        patience = replace(net, **QUICK) if numbered else net  # type: ignore[arg-type]
        try:
            header = _header_there(manifest, patience, known or places.Mirrors())
        except (NetworkError, TrustError) as error:
            if not manifest.file.size:
                raise
            notes.append(f"its header could not be read: {error.what}")
        if header is not None:
            return Sized(shape=fit.shape_of(header, trained_context=trained), source="web")
    if not manifest.file.size:
        raise UsageError(
            f"nothing is known about the size of {manifest.name}",
            why="it is not on this machine, and its header cannot be read offline",
            next_step=f"smolpc models.pull {manifest.name} --allow-unpinned",
        )
    shape = fit.shape_of_manifest(manifest)
    return Sized(shape=shape, source="manifest" if numbered else "size", notes=tuple(notes))


def _header_here(manifest: ModelManifest, store: Store) -> GgufHeader | None:
    pin = None if manifest.file.sha256 else pins.find(store, manifest.name)
    sha256 = pin.sha256 if pin else manifest.file.sha256
    record = storage.find(store.models, sha256) if sha256 else None
    if record is not None:
        return header_of(storage.path_of(store.models, record), NetSettings(offline=True))
    for source in manifest.file.sources:
        if isinstance(source, FileSource):
            return header_of(source.path, NetSettings(offline=True))
    return None


def _header_there(
    manifest: ModelManifest, net: NetSettings, known: places.Mirrors
) -> GgufHeader | None:
    """The header at the first place of the model, or None when it only comes in a wheel."""
    for place in places.of_manifest(manifest, known):
        return header_of(place, replace(net, tokens=places.tokens(known)))
    return None


def decide(shape: Shape, devices: Sequence[Device], wishes: Wishes) -> Choice:
    """The best settings within the wishes. Raises UsageError for wishes that cannot be."""
    _check(shape, devices, wishes)
    kv_type = wishes.kv_type or "f16"
    ubatch = wishes.batch or fit.RUNTIME.ubatch
    base = msgspec.structs.replace(
        fit.RUNTIME, kv_type=kv_type, ubatch=ubatch, batch=max(ubatch, fit.RUNTIME.batch)
    )
    refused = loadable(shape, base)
    if refused:
        raise UsageError(f"--kv-type {kv_type}: {refused}", next_step=HELP)
    return fit.best(
        shape,
        devices,
        wish_context=wishes.context or None,
        min_context=wishes.context or fit.FLOOR,
        least_context=wishes.context or fit.LEAST,
        kv_types=(kv_type,),
        ubatches=(ubatch,) if wishes.batch else fit.UBATCHES,
        gpu_layers=wishes.gpu_layers,
        settings=base,
    )


def _check(shape: Shape, devices: Sequence[Device], wishes: Wishes) -> None:
    trained = shape.trained_context or wishes.context
    if wishes.context > trained:
        why = f"the model was trained for {trained} tokens"
        raise UsageError(f"--ctx {wishes.context} is out of range", why=why, next_step=HELP)
    if wishes.batch > MOST_BATCH:
        why = f"1 to {MOST_BATCH} tokens can be computed at once"
        raise UsageError(f"--batch {wishes.batch} is out of range", why=why, next_step=HELP)
    if wishes.gpu_layers and len(devices) == 1:
        raise UsageError(
            "there is no GPU for --gpu-layers",
            why="the engine of this machine sees none",
            next_step="smolpc detect",
        )


def report(
    manifest: ModelManifest, sized: Sized, devices: Sequence[Device], wishes: Wishes
) -> EstimateReport:
    """Everything that `models.estimate` says."""
    choice = decide(sized.shape, devices, wishes)
    return EstimateReport(
        model=manifest.name,
        architecture=sized.shape.architecture,
        sized_from=sized.source,
        trained_context=sized.shape.trained_context,
        weights=sized.shape.weights,
        total=choice.estimate.total,
        devices=tuple(devices),
        choice=choice,
        notes=(*sized.notes, *choice.estimate.notes),
    )
