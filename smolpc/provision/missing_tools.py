"""Build tools that this machine lacks: which of them can be had, and what that means."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from smolpc import files
from smolpc.build import toolbox
from smolpc.catalog import Catalog
from smolpc.console import human_bytes
from smolpc.plan.fetchable import old_driver, shortcoming, with_fetchable
from smolpc.plan.requirements import missing_tools, unmet
from smolpc.schema.engine import ToolRecipe
from smolpc.schema.host import Host
from smolpc.settings import Settings
from smolpc.store import Store


def with_obtainable(
    settings: Settings, catalog: Catalog, host: Host, without: Collection[str] = ()
) -> Host:
    """The host with the tools that can be had for it: fetched, or offline from the store or a
    folder that pip is told to look in. `without`: names of tools that could not be fetched."""
    recipes = [recipe for recipe in catalog.tools.values() if recipe.name not in without]
    if settings.offline:
        store = Store(settings.store_path)
        recipes = [recipe for recipe in recipes if _is_at_hand(store, recipe, host)]
    return with_fetchable(host, recipes)


def _is_at_hand(store: Store, recipe: ToolRecipe, host: Host) -> bool:
    if files.is_sealed(toolbox.folder_of(store, recipe)):
        return True
    nvidia = any(gpu.vendor == "nvidia" for gpu in host.gpus)
    if not (nvidia and recipe.min_driver and shortcoming(host, recipe)):
        return False  # nobody waits for it here: pip need not be asked
    from smolpc import pypi

    index = pypi.load(offline=True)
    return all(
        (store.downloads / wheel.filename).exists()
        or pypi.locate(wheel.project or recipe.project, wheel.filename, wheel.sha256, index)
        for wheel in recipe.wheels_for(host)
    )


def terms(fetched: Collection[str], catalog: Catalog, host: Host, store: Store) -> Iterator[str]:
    """What is fetched in place of what, and what somebody agrees to who lets that happen."""
    for recipe in (catalog.tools[name] for name in fetched):
        if recipe.terms and not files.is_sealed(toolbox.folder_of(store, recipe)):
            size = human_bytes(recipe.size_for(host))
            own = host.tool(recipe.name)
            text = f"{recipe.name} {recipe.version} is fetched from PyPI ({size})"
            if own is not None:
                text += f" in place of this machine's: {shortcoming(host, recipe)}"
            yield f"{text}; its maker's terms apply: {recipe.terms}"


def hints(
    settings: Settings, catalog: Catalog, host: Host, without: Collection[str] = ()
) -> Iterator[str]:
    """How a tool could be had that alone keeps a profile from being built."""
    engine = catalog.engine(settings.engine)
    waiting = {
        tool
        for profile in catalog.profiles.values()
        if not profile.abstract and not profile.manual and not unmet(profile, host, engine)
        for tool in missing_tools(profile, host, engine)
    }
    for recipe in catalog.tools.values():
        if recipe.name not in waiting or not recipe.wheels_for(host):
            continue
        if driver := old_driver(host, recipe):
            yield (
                f"with NVIDIA's driver {recipe.min_driver} or newer (this is {driver}), setup"
                f" fetches {recipe.name} itself"
            )
        elif recipe.name in without:
            yield f"{recipe.name} could not be fetched; another smolpc setup tries again"
        elif settings.offline:
            yield f"setup would fetch {recipe.name}, but offline is set and it is not here"
