"""What this machine should have, chosen from settings, catalog and host."""

from __future__ import annotations

from pathlib import Path

from smolpc import detect
from smolpc.catalog import Catalog, load_catalog, resolve_model
from smolpc.errors import PrerequisiteError, UsageError
from smolpc.plan import fitness
from smolpc.plan.render import toolchain as toolchain_text
from smolpc.plan.requirements import BuildTarget
from smolpc.plan.select import Selection, select
from smolpc.plan.spec import build_spec
from smolpc.plan.toolchain import Toolchain, choose
from smolpc.schema.base import Value
from smolpc.schema.engine import EngineRecipe, ToolRecipe
from smolpc.schema.host import Host
from smolpc.schema.model import ModelManifest
from smolpc.schema.profile import Profile
from smolpc.schema.spec import BuildSpec
from smolpc.settings import Settings, cache_dir
from smolpc.store import Store, artifacts


class Target(Value, kw_only=True):
    """The choice for one machine. `toolchain` is None when a stored artifact is reused
    because the machine cannot build."""

    settings: Settings
    host: Host
    recipe: EngineRecipe
    recipe_file: Path
    tools: dict[str, ToolRecipe]
    target: BuildTarget
    why: str
    notes: tuple[str, ...]
    toolchain: Toolchain | None
    spec: BuildSpec
    model: ModelManifest | None
    pipeline_text: str
    toolchain_file: str | None  # text, for a cross build

    @property
    def profile(self) -> Profile:
        return self.target.profile

    @property
    def key(self) -> str:
        return self.spec.key


def catalog_for(settings: Settings) -> Catalog:
    """Built-in profiles and recipes with the user's overlay folders on top."""
    return load_catalog(settings.profile_dirs, settings.recipe_dirs)


def host_for(settings: Settings, *, refresh: bool = False) -> Host:
    """This machine, from the cache where nothing changed."""
    return detect.host(store=settings.store_path, cache_dir=cache_dir(), refresh=refresh)


def model_for(catalog: Catalog, settings: Settings) -> ModelManifest:
    """The model of the settings, else the manifest marked default. Raises UsageError."""
    if settings.model:
        return resolve_model(catalog, settings.model)
    for manifest in catalog.models.values():
        if manifest.default:
            return manifest
    raise UsageError(
        "no model is marked as the default",
        why="no manifest in recipes/models has 'default: true'",
        next_step="smolpc models.list",
    )


def selection_for(catalog: Catalog, host: Host, settings: Settings) -> Selection:
    """The profile for this host, by name or the best that fits."""
    recipe = catalog.engine(settings.engine)
    return select(catalog.profiles, host, recipe, settings.profile or None)


def choose_target(settings: Settings, *, refresh: bool = False, with_model: bool = True) -> Target:
    """Decide everything that a setup needs, without doing anything."""
    catalog = catalog_for(settings)
    host = host_for(settings, refresh=refresh)
    recipe = catalog.engine(settings.engine)
    selection = selection_for(catalog, host, settings)
    notes = selection.notes
    toolchain: Toolchain | None
    try:
        toolchain = choose(host, selection.target, catalog.tools)
    except PrerequisiteError as error:
        reused = _stored(Store(settings.store_path), recipe, selection.profile, host)
        if reused is None:
            raise
        toolchain, spec = None, reused
        notes = (*notes, f"{error.what}: the stored artifact {spec.key[:12]} is reused")
    else:
        spec = build_spec(recipe, selection.target, toolchain, host)
    return Target(
        settings=settings,
        host=host,
        recipe=recipe,
        recipe_file=catalog.source("engines", recipe.name),
        tools=catalog.tools,
        target=selection.target,
        why=selection.why,
        notes=notes,
        toolchain=toolchain,
        spec=spec,
        model=model_for(catalog, settings) if with_model else None,
        pipeline_text=catalog.pipeline(settings.pipeline),
        toolchain_file=toolchain_text(selection.target, catalog.template),
    )


def _stored(store: Store, recipe: EngineRecipe, profile: Profile, host: Host) -> BuildSpec | None:
    """The spec of a stored artifact of this engine and profile that runs on this host."""
    for _, artifact in artifacts.readable(store):
        if (
            artifact is not None
            and artifact.spec.commit == recipe.commit
            and artifact.profile == profile.name
            and not fitness.unmet(artifact.requirements, host)
        ):
            return artifact.spec
    return None
