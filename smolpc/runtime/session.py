"""Open the engine that a setup provisioned: verified artifact, verified model, fitting host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from smolpc import detect, settings
from smolpc.errors import PrerequisiteError
from smolpc.models import storage
from smolpc.plan import fitness
from smolpc.runtime.engine import Engine
from smolpc.runtime.settings import fit_threads
from smolpc.schema.artifact import Artifact, ModelRecord
from smolpc.schema.host import Host
from smolpc.store import Store, artifacts, gc, generations


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


@contextmanager
def open_engine(
    store: Store,
    chosen: settings.Settings,
    host: Host,
    *,
    model: ModelRecord | None = None,
) -> Iterator[Engine]:
    """The engine of the current generation with its model, or with another stored `model`.

    Every file of the artifact is hashed; the model only when its size, time or inode is not
    what the store recorded. `trained_context` is in tokens. Raises TrustError for changed
    bytes and PrerequisiteError when nothing is set up or the artifact does not fit the host.
    """
    now = generations.require_current(store)
    folder, artifact = current_artifact(store, host)
    record = model or storage.require(store.models, now.model, now.model_name)
    path = storage.path_of(store.models, record)
    storage.ensure_unchanged(record, path)
    threads, note = fit_threads(chosen.threads, host.cpu)
    with (
        gc.in_use(store, now.artifact),
        Engine(
            folder,
            path,
            artifact=artifact,
            threads=threads,
            notes=(note,) if note else (),
            context=chosen.context or None,
            trained_context=record.context_length or None,
            model_name=record.name,
            model_sha256=record.sha256,
        ) as engine,
    ):
        yield engine


def open_current(**overrides: Any) -> AbstractContextManager[Engine]:
    """The engine that `smolpc setup` provisioned on this machine, for programs.

    `overrides` are settings by name, such as `context=8192` or `store="/path"`.
    """
    chosen, _ = settings.load(overrides)
    host = detect.host(store=chosen.store_path, cache_dir=settings.cache_dir())
    return open_engine(Store(chosen.store_path), chosen, host)
