"""What a setup provisioned: verified artifact, verified model, settings that fit the host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from smolpc import detect, settings
from smolpc.errors import PrerequisiteError
from smolpc.models import lookup, storage
from smolpc.plan import fitness
from smolpc.runtime.loaded import Model
from smolpc.runtime.settings import fit_threads
from smolpc.schema.artifact import Artifact, ModelRecord
from smolpc.schema.fit import FitSettings
from smolpc.schema.host import Host
from smolpc.schema.running import RunSettings
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

    def __init__(self, chosen: settings.Settings | None = None, host: Host | None = None) -> None:
        self._chosen, self._host = chosen, host

    @cached_property
    def chosen(self) -> settings.Settings:
        return self._chosen or settings.load({})[0]

    @cached_property
    def store(self) -> Store:
        return Store(self.chosen.store_path)

    @cached_property
    def host(self) -> Host:
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
        path = storage.path_of(self.store.models, record)
        storage.ensure_unchanged(record, path)
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

    def run_settings(self) -> tuple[RunSettings, tuple[str, ...]]:
        """How to run a model here, and what the user should be told about it."""
        threads, note = fit_threads(self.chosen.threads, self.host.cpu)
        memory = FitSettings(context=self.chosen.context, gpu_layers=-1, full_window=True)
        chosen = RunSettings(
            memory=memory,
            threads=threads,
            prompt_cache=self.chosen.prompt_cache,
            prompt_cache_limit=self.chosen.prompt_cache_bytes,
        )
        return chosen, (note,) if note else ()
