"""Which models are served, under which names, with which settings, and how many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from smolpc.catalog.families import key_of
from smolpc.errors import PrerequisiteError, UsageError
from smolpc.models import lookup, storage
from smolpc.plan import fit
from smolpc.plan.fit import budget
from smolpc.provision.running import Prepared, prepare
from smolpc.provision.target import catalog_for, host_for
from smolpc.runtime.choosing import running_for, sampling_for, shape_in, tuned_for
from smolpc.runtime.session import current_artifact
from smolpc.schema.artifact import Artifact, ModelRecord
from smolpc.schema.fit import Choice, Device, Estimate, Shape
from smolpc.schema.host import Host
from smolpc.schema.model import ModelManifest
from smolpc.schema.running_report import Running
from smolpc.serve.arguments import ServedModel
from smolpc.settings import load_config, size_of
from smolpc.store import Store

PROMPT_CACHE = 512 << 20  # bytes at most for the prompts of earlier conversations
MOST_PARALLEL = 64  # answers at a time


class Serving(msgspec.Struct, frozen=True):
    """The models of one server. `at_once`: how many of them fit into memory together."""

    models: tuple[ServedModel, ...]
    at_once: int
    notes: tuple[str, ...] = ()


def shared(
    shape: Shape, devices: Sequence[Device], running: Running, parallel: int
) -> Choice | None:
    """`running`, which is for one conversation, for a server: `parallel` answers at a time, each
    with the whole context, and a cache for the prompts of earlier conversations. Where that
    does not fit, less of the model goes on the GPU, then the context shrinks; None: there is
    no memory for it at all."""
    memory = running.settings.memory
    total = next(device.total for device in devices if device.kind == "cpu")
    base = msgspec.structs.replace(
        memory, sequences=parallel, prompt_cache=min(PROMPT_CACHE, total // 32)
    )
    each = min(fit.LEAST, memory.context)
    for layers in (memory.gpu_layers, None):
        made = fit.best(
            msgspec.structs.replace(shape, trained_context=shape.trained_context * parallel),
            devices,
            wish_context=memory.context * parallel,
            min_context=each * parallel,
            least_context=each * parallel,
            kv_types=(memory.kv_type,),
            ubatches=(memory.ubatch,),
            gpu_layers=layers,
            settings=base,
        )
        if made.verdict != "does-not-fit":
            return made
    return None


def together(estimates: Sequence[Estimate], devices: Sequence[Device]) -> int:
    """How many of the models, from the first, fit into memory at the same time; at least 1."""
    free = budget.room(devices, spare=True)
    shared = {device.name for device in devices if device.shared}
    host = next(device.name for device in devices if device.kind == "cpu")
    for count, made in enumerate(estimates):
        if count and budget.short(made, devices, free):
            return count
        for use in made.devices:
            free[use.device] -= use.total
            if use.device in shared:
                free[host] -= use.total
    return len(estimates)


class Here(msgspec.Struct, frozen=True):
    """Where the models are and what serves them."""

    store: Store
    host: Host
    folder: Path  # of the engine
    artifact: Artifact
    manifests: tuple[ModelManifest, ...]

    @classmethod
    def now(cls, options: Mapping[str, str]) -> Here:
        """What the last setup made, every file of the engine hashed. `options` are settings of
        the command line. Raises PrerequisiteError when nothing is set up, TrustError."""
        chosen = load_config(options).settings
        store, host = Store(chosen.store_path), host_for(chosen)
        folder, artifact = current_artifact(store, host)
        return cls(store, host, folder, artifact, tuple(catalog_for(chosen).models.values()))

    @property
    def devices(self) -> tuple[Device, ...]:
        return fit.devices_of(self.host, self.artifact.requirements.backends)

    def file_of(self, record: ModelRecord) -> Path:
        """The file of a model. Raises TrustError when it is not the one that was verified."""
        return storage.verified(self.store.models, record)


def prepared(
    here: Here, names: Sequence[str], options: Mapping[str, str]
) -> list[tuple[str, Prepared]]:
    """The name to list each model under, and what counts for it. Without `names`: the model of
    the settings. The same file under two names is served once. Raises UsageError."""
    found: dict[str, tuple[str, Prepared]] = {}
    for name in names or ("",):
        one = prepare({**options, "model": name})
        same = [item.short for item in here.manifests if item.file.sha256 == one.record.sha256]
        shown = name or one.settings.model or (same[0] if same else one.record.name)
        found.setdefault(one.record.sha256, (shown, one))
    return list(found.values())


def choose(
    here: Here, names: Sequence[str], options: Mapping[str, str], *, parallel: int = 1
) -> Serving:
    """Decide everything about the models. `options` are settings of the command line; the
    context is for each answer, of which `parallel` are made at a time. Every model file is the
    one that was verified.

    Raises UsageError for a name that is not here, TrustError for a changed file, and
    PrerequisiteError for a model that does not fit into the memory.
    """
    if not 1 <= parallel <= MOST_PARALLEL:
        raise UsageError(
            f"{parallel} answers at a time are not possible",
            why=f"it is 1 to {MOST_PARALLEL}",
            next_step="smolpc serve --parallel 4",
        )
    notes, models, estimates = list[str](), list[ServedModel](), list[Estimate]()
    for name, one in prepared(here, names, options):
        model, estimate, said = _served(here, name, one, parallel)
        models.append(model)
        estimates.append(estimate)
        notes += [f"{name}: {text}" for text in said]
    count = together(estimates, here.devices)
    if count < len(models):
        notes.append(
            f"{count} of the {len(models)} models fit into memory at a time: another one is"
            " loaded when it is asked for, which takes a while"
        )
    return Serving(tuple(models), count, tuple(notes))


def _served(
    here: Here, name: str, one: Prepared, parallel: int
) -> tuple[ServedModel, Estimate, list[str]]:
    """The model, the memory it takes, and what the user must know."""
    record = one.record
    path = here.file_of(record)
    shape = shape_in(path, record.context_length)
    tuned = tuned_for(here.store, here.host, here.artifact.key, record.sha256)
    running = running_for(shape, here.devices, here.host, one.report, tuned)
    settings, notes = running.settings, [*one.notes, *running.notes]
    usable = [
        device
        for device in fit.reserved(here.devices, size_of(one.settings.gpu_reserve))
        if device.kind == "cpu" or device.name in settings.devices
    ]
    made = shared(shape, usable, running, parallel)
    if made is None and parallel > 1:
        raise PrerequisiteError(
            f"{name} cannot give {parallel} answers at a time on this machine",
            why=running.choice.why,
            next_step=f"smolpc serve --model {name} --parallel 1",
        )
    estimate = made.estimate if made is not None else running.choice.estimate
    each = estimate.settings.context // parallel
    if each < settings.memory.context:
        notes.append(
            f"the context is {each} tokens for each answer, not {settings.memory.context}:"
            " there is no memory for more"
        )
    if settings.cpu_variant:
        notes.append(
            f"the server takes the CPU library that the engine prefers, not {settings.cpu_variant}"
        )
    if one.system:
        notes.append("the system prompt that it brought along is not used: clients send theirs")
    draft = None
    if settings.draft_model:
        models = here.store.models
        draft = here.file_of(lookup.require_installed(models, settings.draft_model, here.manifests))
    names = lookup.names_of(record.name, record.sha256, here.manifests)
    model = ServedModel(
        name=name,
        path=path,
        settings=msgspec.structs.replace(settings, memory=estimate.settings),
        sampling=sampling_for(one.report)[0],
        aliases=tuple(dict.fromkeys((*names, *map(key_of, names)))),
        draft=draft,
    )
    return model, estimate, notes
