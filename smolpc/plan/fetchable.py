"""Build tools that a machine lacks and that can be fetched for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from smolpc.plan.requirements import version
from smolpc.schema.engine import ToolRecipe
from smolpc.schema.host import Host, Tool


def with_fetchable(host: Host, recipes: Iterable[ToolRecipe]) -> Host:
    """The host with the tools that can be fetched, where it has none of its own that will do.
    The path of such a tool is empty."""
    found = {
        recipe.name: Tool(name=recipe.name, path="", version=recipe.version)
        for recipe in recipes
        if shortcoming(host, recipe) and recipe.wheels_for(host)
        if not old_driver(host, recipe)
    }
    own = (tool for tool in host.tools if tool.name not in found)
    return msgspec.structs.replace(host, tools=(*own, *found.values()))


def shortcoming(host: Host, recipe: ToolRecipe) -> str:
    """Why the host's own tool will not do, as a clause; "" when it will."""
    own = host.tool(recipe.name)
    if own is None or not own.path:
        return "there is none"
    floors = [floor for least, floor in recipe.at_least_for.items() if _has_gpu(host, least)]
    floor = max([recipe.at_least, *floors], key=version)
    if version(own.version) < version(floor):
        return f"{own.version} is older than {floor}, which this machine needs"
    lacking = [name for name in recipe.together_with if host.tool(name) is None]
    return f"{own.version} was found without {' and '.join(lacking)}" if lacking else ""


def old_driver(host: Host, recipe: ToolRecipe) -> str:
    """The version of the host's NVIDIA driver, when what the tool makes needs a newer one.
    Where there is no such GPU, nothing is in the way of building for another machine."""
    floor = recipe.min_driver
    drivers = [gpu.driver for gpu in host.gpus if gpu.vendor == "nvidia"]
    old = [driver for driver in drivers if floor and version(driver) < version(floor)]
    return (old[0] or "unknown") if old else ""


def _has_gpu(host: Host, least: str) -> bool:
    gpus = (gpu for gpu in host.gpus if gpu.vendor == "nvidia")
    return any(version(gpu.compute_capability) >= version(least) for gpu in gpus)
