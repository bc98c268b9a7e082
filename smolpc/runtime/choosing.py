"""The settings for a stored model: from its header, the devices, wishes and measurements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from smolpc.gguf import local_file, read_model
from smolpc.models import lookup
from smolpc.plan import fit
from smolpc.plan.running import NAMES, choose
from smolpc.runtime.devices import Device as Registered
from smolpc.schema.config_report import Setting
from smolpc.schema.fit import Device, DeviceKind, Shape
from smolpc.schema.host import Host
from smolpc.schema.running import Sampling
from smolpc.schema.running_report import Reason, Running
from smolpc.schema.tuning import Tuned, fingerprint
from smolpc.settings import SAMPLING, Settings, size_of
from smolpc.store import Store, tunings

KINDS: dict[str, DeviceKind] = {"cuda": "cuda", "vulkan": "vulkan", "metal": "metal"}
MEANING = {
    "temperature": "0 always takes the likeliest token, higher values vary more",
    "top_k": "only so many of the likeliest tokens",
    "top_p": "only the likeliest tokens with this sum of probabilities",
    "min_p": "none that is much less likely than the likeliest",
    "repeat_penalty": "1 is none: code repeats itself for good reasons",
}


def shape_in(path: Path, trained_context: int = 0) -> Shape:
    """The shape of the model in a file, from its header (of all files, if it is split).
    `trained_context` (tokens; 0: not known) corrects a header that promises too much."""
    header = read_model(path.name, lambda name: local_file(path.parent / name))
    return fit.shape_of(header, trained_context=trained_context or None)


def devices_in(registered: Iterable[Registered], host: Host) -> tuple[Device, ...]:
    """The CPU and the GPUs of a loaded engine, with what is free on them now.

    As the engine does by default, an integrated GPU is used only where there is no other.
    """
    cpu, *_ = fit.devices_of(host, ())
    gpus = [one for one in registered if one.is_gpu]
    discrete = [one for one in gpus if one.kind == "gpu"]
    return (cpu, *(gpu_of(one, cpu) for one in discrete or gpus[:1]))


def gpu_of(one: Registered, cpu: Device) -> Device:
    """A registered GPU as `plan.fit` knows it; a shared one takes the memory of `cpu`."""
    shared = one.kind == "igpu" or not one.memory_total
    return Device(
        name=one.name,
        kind=KINDS.get(one.backend, "gpu"),
        free=min(one.memory_free or cpu.free, cpu.free) if shared else one.memory_free,
        total=one.memory_total or cpu.total,
        shared=shared,
        card=one.description,
    )


def wishes_of(report: Iterable[Setting]) -> dict[str, Setting]:
    """The settings about running that the user made, and that do not say "decide for me"."""
    default = Settings()
    return {
        one.name: one
        for one in report
        if one.name in NAMES
        and one.layer not in ("default", "model", "tuned")
        and one.value != getattr(default, one.name)
    }


def running_for(
    shape: Shape,
    devices: Sequence[Device],
    host: Host,
    report: Sequence[Setting],
    tuned: Tuned | None = None,
) -> Running:
    """The settings to run a model with, and why. `report`: what counts for this model.

    Raises UsageError and PrerequisiteError as `plan.running.choose` does.
    """
    reserve = next((str(one.value) for one in report if one.name == "gpu_reserve"), "")
    usable = fit.reserved(devices, size_of(reserve))
    return choose(shape, usable, host.cpu, wishes_of(report), tuned)


def tuned_for(store: Store, host: Host, artifact: str, model: str) -> Tuned | None:
    """What `smolpc tune` measured for this model (sha256) with this engine on this machine.

    A draft model that was removed since does not count; it is in `lost`.
    """
    tuned = tunings.find(store, fingerprint(host), artifact, model)
    if tuned is None:
        return None
    drafts = (str(one.value) for one in tuned.values if one.setting == "draft_model")
    lost = tuple(name for name in drafts if not lookup.installed(store.models, name))
    if not lost:
        return tuned
    left = tuple(one for one in tuned.values if one.setting not in ("draft_model", "speculation"))
    return msgspec.structs.replace(tuned, values=left, lost=lost)


def sampling_for(report: Iterable[Setting]) -> tuple[Sampling, tuple[Reason, ...]]:
    """How tokens are chosen by the settings, and where each value came from."""
    said = {one.name: one for one in report if one.name in SAMPLING}
    reasons = tuple(
        Reason(setting=name, value=one.value, layer=one.layer, origin=one.origin, why=MEANING[name])
        for name, one in said.items()
    )
    values: dict[str, Any] = {name: one.value for name, one in said.items()}
    return Sampling(**values), reasons
