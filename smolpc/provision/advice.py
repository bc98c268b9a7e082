"""What this machine can run: the registry, the host and the engine put together."""

from __future__ import annotations

import contextlib

from smolpc import files
from smolpc.catalog import Catalog
from smolpc.detect import bandwidth
from smolpc.errors import NoProfileError, PrerequisiteError, TrustError, UsageError
from smolpc.models import storage
from smolpc.plan.fit import devices_of
from smolpc.plan.recommend import machine, recommend
from smolpc.plan.select import select
from smolpc.schema.fit import Device
from smolpc.schema.host import Host
from smolpc.schema.recommendation import Purpose, Recommendation
from smolpc.settings import Settings
from smolpc.store import Store, artifacts, generations


def purpose_of(text: str) -> Purpose:
    """`text` as a purpose. Raises UsageError."""
    if text == "code":
        return "code"
    if text == "chat":
        return "chat"
    raise UsageError(
        f"unknown purpose '{text}'",
        why="the purposes are code and chat",
        next_step="smolpc models.recommend code",
    )


def devices_here(settings: Settings, catalog: Catalog, host: Host) -> tuple[Device, ...]:
    """What the engine in use computes on, else the one that setup would build."""
    return devices_of(host, _backends(settings, catalog, host))


def _backends(settings: Settings, catalog: Catalog, host: Host) -> tuple[str, ...]:
    store = Store(settings.store_path)
    now = generations.current(store)
    if now is not None:
        with contextlib.suppress(TrustError):
            return artifacts.read(store.artifact(now.artifact)).requirements.backends
    recipe = catalog.engine(settings.engine)
    try:
        return select(
            catalog.profiles, host, recipe, settings.profile or None
        ).profile.build.backends
    except (NoProfileError, PrerequisiteError):
        return ("cpu",)


def recommend_here(
    settings: Settings, catalog: Catalog, host: Host, purpose: Purpose, *, measure: bool = True
) -> tuple[float, tuple[Recommendation, ...]]:
    """The memory bandwidth (bytes a second; 0: not measured) and every model of the registry
    for the purpose, best first. `measure`: this machine's bandwidth instead of a table's."""
    measured = bandwidth.measure() if measure else 0.0
    store = Store(settings.store_path)
    here = machine(
        host,
        devices_here(settings, catalog, host),
        catalog.speeds,
        disk_free=files.free_bytes(store.root),
        installed=[record.sha256 for record in storage.installed(store.models)],
        measured=measured or None,
    )
    rows = recommend(
        catalog.models.values(),
        here,
        catalog.speeds,
        purpose,
        architectures=catalog.engine(settings.engine).architectures,
        licenses=settings.licenses.split(),
    )
    return measured, rows
