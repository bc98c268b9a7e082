"""Which model runs, with which settings: names, stored models and all layers put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from smolpc.catalog import Catalog
from smolpc.console import Reporter, Silent
from smolpc.errors import PrerequisiteError, UsageError
from smolpc.models import download, lookup, pins, storage
from smolpc.provision.advice import devices_here
from smolpc.provision.target import catalog_for, host_for, model_for
from smolpc.runtime.choosing import running_for, sampling_for, shape_in, tuned_for
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.base import Value
from smolpc.schema.config_report import Setting
from smolpc.schema.host import Host
from smolpc.schema.model import Defaults, ModelManifest
from smolpc.schema.running_report import ExplainReport
from smolpc.settings import (
    RUNNING,
    SAMPLING,
    Config,
    Layer,
    Settings,
    config_of,
    load_config,
    own_recipes,
)
from smolpc.settings.checks import checked
from smolpc.store import Store, generations


class Prepared(Value, kw_only=True):
    """A stored model, and the settings that count when it runs."""

    config: Config  # with what the model brought along
    settings: Settings
    report: tuple[Setting, ...]
    record: ModelRecord
    names: tuple[str, ...]  # all names of the model
    system: str = ""  # the system prompt that the model brought along
    stop: tuple[str, ...] = ()  # stop texts that it brought along
    notes: tuple[str, ...] = ()


def prepare(
    command_line: Mapping[str, Any] | None = None, reporter: Reporter | None = None
) -> Prepared:
    """The model of the settings, else that of the last setup, and what counts for it.

    A model that is on this machine but not in the store (a shared folder, an own file) is
    linked. Raises UsageError with the pull that brings it when it is not here at all.
    """
    config = load_config(command_line)
    chosen = config.settings
    store, catalog = Store(chosen.store_path), catalog_for(chosen)
    # Reading the registry costs more than all else here: only where it can say something.
    worth = chosen.model or chosen.recipes or own_recipes().is_dir() or config.has_models
    manifests = tuple(catalog.models.values()) if worth else ()
    record = _record(store, catalog, chosen, reporter or Silent())
    return _prepared(config, record, chosen.model or record.name, manifests)


def prepare_stored(settings: Settings, record: ModelRecord) -> Prepared:
    """`prepare` for settings that a program has, and a model in the store."""
    manifests = tuple(catalog_for(settings).models.values())
    return _prepared(config_of(settings), record, record.name, manifests)


def _prepared(
    config: Config, record: ModelRecord, text: str, manifests: Sequence[ModelManifest]
) -> Prepared:
    brought, origin = lookup.brought_along(record, text, manifests)
    layer, notes = parameters(brought, origin)
    names = (text, *lookup.names_of(record.name, record.sha256, manifests))
    config = config.over(layer)
    chosen, report = config.for_model(names)
    return Prepared(
        config=config,
        settings=chosen,
        report=report,
        record=record,
        names=names,
        system=brought.system,
        stop=stops(brought),
        notes=notes,
    )


def _record(store: Store, catalog: Catalog, chosen: Settings, reporter: Reporter) -> ModelRecord:
    if not chosen.model:
        now = generations.require_current(store)
        return storage.require(store.models, now.model, now.model_name)
    record = lookup.installed(store.models, chosen.model, catalog.models.values())
    if record is None:
        manifest = model_for(catalog, chosen)
        record = download.on_this_machine(manifest, store, chosen, reporter)
        if record is None:
            known = pins.pinned(manifest, store)
            record = storage.require(store.models, known.sha256, known.short)
    return record


def parameters(brought: Defaults, origin: str) -> tuple[Layer, tuple[str, ...]]:
    """How tokens are chosen as the model's author set it, and a note for each value that is not
    usable. What fits another machine (num_ctx, num_gpu, num_thread) is not taken over."""
    values, notes = {}, []
    for name in SAMPLING:
        if name in brought.options:
            try:
                values[name] = checked(name, brought.options[name], origin)
            except UsageError as error:
                notes.append(f"{error.what}: not used")
    return Layer(kind="model", origin=origin, values=values), tuple(notes)


def stops(brought: Defaults) -> tuple[str, ...]:
    """The texts that end an answer."""
    found = brought.options.get("stop", ())
    return tuple(map(str, found)) if isinstance(found, tuple) else (str(found),)


def explain(prepared: Prepared, host: Host | None = None) -> ExplainReport:
    """The settings that this model would run with, and why; nothing is loaded for it."""
    chosen, record = prepared.settings, prepared.record
    store, host = Store(chosen.store_path), host or host_for(chosen)
    devices = devices_here(chosen, catalog_for(chosen), host)
    now = generations.current(store)
    artifact = now.artifact if now else ""
    shape = shape_in(storage.path_of(store.models, record), record.context_length)
    tuned = tuned_for(store, host, artifact, record.sha256)
    running = running_for(shape, devices, host, prepared.report, tuned)
    sampling, why = sampling_for(prepared.report)
    return ExplainReport(
        model=record.name,
        model_sha256=record.sha256,
        artifact=artifact,
        weights=shape.weights,
        trained_context=shape.trained_context,
        devices=devices,
        running=running,
        sampling=sampling,
        sampling_reasons=why,
    )


def settings_for(model: str) -> tuple[Settings, tuple[Setting, ...]]:
    """The settings that count when this model runs, with what a run takes of the values that
    `smolpc tune` measured for it."""
    prepared = prepare({"model": model})
    try:
        reasons = explain(prepared).running.reasons
    except (UsageError, PrerequisiteError):  # it cannot run with these settings, which are shown
        reasons = ()
    known = {
        one.setting: one.value for one in reasons if one.layer == "tuned" and one.setting in RUNNING
    }
    layer = Layer(kind="tuned", origin="smolpc tune", values=known)
    brought, *others = prepared.config.layers
    return Config(layers=(brought, layer, *others)).for_model(prepared.names)
