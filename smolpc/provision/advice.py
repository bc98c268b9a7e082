"""What this machine can run: the registry, the host and the engine put together."""

from __future__ import annotations

import contextlib

import msgspec

from smolpc import files
from smolpc.catalog import Catalog
from smolpc.detect import bandwidth
from smolpc.errors import NoProfileError, PrerequisiteError, TrustError, UsageError
from smolpc.models import storage
from smolpc.plan.fit import devices_of
from smolpc.plan.recommend import machine, recommend
from smolpc.plan.select import select
from smolpc.provision.missing_tools import with_obtainable
from smolpc.schema.fit import Device
from smolpc.schema.host import Host
from smolpc.schema.recommendation import Purpose, Recommendation
from smolpc.settings import Settings, cache_dir
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
    host = with_obtainable(settings, catalog, host)
    try:
        return select(
            catalog.profiles, host, recipe, settings.profile or None
        ).profile.build.backends
    except (NoProfileError, PrerequisiteError):
        return ("cpu",)


def bandwidth_here(*, refresh: bool = False) -> float:
    """The memory bandwidth in bytes a second, measured once and then remembered: it varies a
    little from time to time, and the order of the advice should not."""
    path = cache_dir() / "bandwidth.json"
    if not refresh:
        with contextlib.suppress(OSError, msgspec.DecodeError):
            known = msgspec.json.decode(path.read_bytes(), type=float)
            if known > 0:
                return known
    measured = bandwidth.measure()
    with contextlib.suppress(OSError):  # a home that may not be written to
        files.write_atomic(path, msgspec.json.encode(measured))
    return measured


def recommend_here(
    settings: Settings,
    catalog: Catalog,
    host: Host,
    purpose: Purpose,
    *,
    measure: bool = True,
    refresh: bool = False,
) -> tuple[float, tuple[Recommendation, ...]]:
    """The memory bandwidth (bytes a second; 0: not measured) and every model of the registry
    for the purpose, best first. `measure`: this machine's bandwidth instead of a table's."""
    measured = bandwidth_here(refresh=refresh) if measure else 0.0
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
