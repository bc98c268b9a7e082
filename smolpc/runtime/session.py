"""What a setup provisioned: verified artifact, verified model, settings that fit the host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from smolpc import detect, settings
from smolpc.errors import PrerequisiteError
from smolpc.models import lookup, storage
from smolpc.plan import fitness
from smolpc.runtime.choosing import devices_in, running_for, shape_in, tuned_for, wishes_of
from smolpc.runtime.devices import Device, missing_gpu_backends
from smolpc.runtime.loaded import Model
from smolpc.schema.artifact import Artifact, ModelRecord
from smolpc.schema.host import Host
from smolpc.schema.running_report import Running
from smolpc.schema.tuning import Tuned
from smolpc.store import Store, artifacts, gc, generations

if TYPE_CHECKING:
    from smolpc.catalog import Catalog

ModelName = str | Path | ModelRecord


def current_artifact(store: Store, host: Host) -> tuple[Path, Artifact]:
    """The engine of the current generation: its folder and manifest, every file hashed.

    Raises PrerequisiteError when nothing is set up or the artifact does not fit the host, and
    TrustError when a file was changed.
    """
    now = generations.require_current(store)
    artifact = artifacts.open_stored(store, now.artifact)
    problems = fitness.unmet(artifact.requirements, host)
    if problems:
        raise PrerequisiteError(
            f"the engine {artifact.key[:12]} does not run on this machine",
            why="; ".join(problems),
            next_step="smolpc setup   (it builds one for this machine)",
        )
    return store.artifact(now.artifact), artifact


class Session:
    """Answers what an Engine needs to know; looks at settings and machine only when asked."""

    def __init__(
        self, config: settings.Config | settings.Settings | None = None, host: Host | None = None
    ) -> None:
        self._config, self._host = config, host

    @cached_property
    def config(self) -> settings.Config:
        if self._config is None:
            return settings.load_config()
        if isinstance(self._config, settings.Settings):
            return settings.config_of(self._config)
        return self._config

    @cached_property
    def chosen(self) -> settings.Settings:
        return self.config.settings

    @cached_property
    def store(self) -> Store:
        return Store(self.chosen.store_path)

    @property
    def host(self) -> Host:
        """This machine, with the memory that is free now."""
        return self._host or detect.host(
            store=self.chosen.store_path, cache_dir=settings.cache_dir()
        )

    @contextmanager
    def artifact(self, folder: Path | None = None) -> Iterator[tuple[Path, Artifact]]:
        """The engine in `folder` (None: of the current generation), every file hashed.

        Until the end the garbage collector leaves the current one alone.
        """
        if folder is not None:
            yield folder, artifacts.open_verified(folder)
            return
        found = current_artifact(self.store, self.host)
        with gc.in_use(self.store, found[1].key):
            yield found

    def model(self, wanted: ModelName = "") -> Model:
        """The stored model of that name ("": that of the last setup), or the
        file at a path, which nobody verified.

        A stored model is hashed only when its size, time or inode is not what was recorded.
        Raises UsageError for an unknown name and TrustError for changed bytes.
        """
        if isinstance(wanted, Path):
            return Model(path=wanted.absolute(), name=wanted.stem)
        record = wanted if isinstance(wanted, ModelRecord) else self._record(wanted)
        path = storage.verified(self.store.models, record)
        return Model(
            path=path,
            name=record.name,
            sha256=record.sha256,
            trained_context=record.context_length,
        )

    def _record(self, name: str) -> ModelRecord:
        models = self.store.models
        if not name:
            now = generations.require_current(self.store)
            return storage.require(models, now.model, now.model_name)
        found = lookup.installed(models, name)
        if found is None:  # an alias, which the catalog knows
            found = lookup.require_installed(models, name, self._catalog().models.values())
        return found

    def _catalog(self) -> Catalog:
        from smolpc.catalog import load_catalog

        own = settings.own_recipes()
        overlays = (*([own] if own.is_dir() else []), *self.chosen.recipe_dirs)
        return load_catalog(self.chosen.profile_dirs, overlays)

    def run_settings(
        self,
        model: Model,
        wanted: ModelName,
        artifact: Artifact,
        devices: Iterable[Device],
        freed: int = 0,
    ) -> Running:
        """How to run a model here, and what the user should be told about it.

        `wanted`: what it was asked for as; `devices`: those of the loaded engine, with what is
        free on them now; `freed`: bytes that would be free besides if other models left. Raises
        UsageError and PrerequisiteError for wishes that cannot be.
        """
        host = self.host
        shape = shape_in(model.path, model.trained_context)
        chosen, report = self.config.for_model(self._names(model, wanted))
        tuned = self._tuned(host, model, artifact)
        registered = tuple(devices)
        usable = tuple(
            msgspec.structs.replace(one, free=min(one.free + freed, one.total))
            for one in devices_in(registered, host)
        )
        running = running_for(shape, usable, host, report, tuned)
        settings = msgspec.structs.replace(
            running.settings,
            prompt_cache=chosen.prompt_cache,
            prompt_cache_limit=chosen.prompt_cache_bytes,
        )
        lost = missing_gpu_backends(artifact.requirements.backends, registered)
        if lost and not {"gpu_layers", "devices"} & set(wishes_of(report)):
            # A GPU is meant to be used: loading will find that it is not, and say so.
            memory = msgspec.structs.replace(settings.memory, gpu_layers=-1)
            settings = msgspec.structs.replace(settings, memory=memory)
        return msgspec.structs.replace(running, settings=settings)

    def cpu_variant(self, model: Model, artifact: Artifact) -> str:
        """The CPU library that was measured to be fastest; "": the loader's choice."""
        tuned = self._tuned(self.host, model, artifact)
        found = [one.value for one in tuned.values if one.setting == "cpu_variant"] if tuned else []
        return str(found[-1]) if found else ""

    def _tuned(self, host: Host, model: Model, artifact: Artifact) -> Tuned | None:
        return tuned_for(self.store, host, artifact.key, model.sha256) if model.sha256 else None

    def _names(self, model: Model, wanted: ModelName) -> tuple[str, ...]:
        typed = (wanted,) if isinstance(wanted, str) and wanted else ()
        if not self.config.has_models:  # nothing is said about any: do not read the catalog
            return (model.name, *typed)
        manifests = self._catalog().models.values()
        return (*lookup.names_of(model.name, model.sha256, manifests), *typed)
