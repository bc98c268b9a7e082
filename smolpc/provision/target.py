"""What this machine should have, chosen from settings, catalog and host."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from smolpc import detect
from smolpc.catalog import Catalog, load_catalog
from smolpc.errors import NoProfileError, PrerequisiteError, UsageError
from smolpc.models import names, pins, places, registry
from smolpc.plan import fitness
from smolpc.plan.cost import Cost, build_cost
from smolpc.plan.fetchable import with_fetchable
from smolpc.plan.requirements import BuildTarget, is_cross, uses_gpu
from smolpc.plan.select import Selection, select
from smolpc.plan.spec import bindings_digest, build_spec, patches
from smolpc.plan.toolchain import Toolchain, choose
from smolpc.provision import missing_tools
from smolpc.provision.missing_tools import with_obtainable
from smolpc.schema.artifact import Artifact
from smolpc.schema.base import Value
from smolpc.schema.engine import EngineRecipe, ToolRecipe
from smolpc.schema.host import Host
from smolpc.schema.model import ModelManifest
from smolpc.schema.profile import Profile
from smolpc.schema.spec import BuildSpec
from smolpc.settings import Settings, cache_dir, own_recipes
from smolpc.store import Store, artifacts, refusals


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

    @property
    def profile(self) -> Profile:
        return self.target.profile

    @property
    def key(self) -> str:
        return self.spec.key

    @property
    def parts(self) -> tuple[ToolRecipe, ...]:
        """Fetched tools of which something goes into the engine."""
        fetched = self.toolchain.fetched if self.toolchain else ()
        recipes = (self.tools[tool.name] for tool in fetched)
        return tuple(recipe for recipe in recipes if recipe.runtime)

    @property
    def cost(self) -> Cost:
        """What building the engine takes."""
        return build_cost(self.target, self.recipe, self.parts)


def catalog_for(settings: Settings) -> Catalog:
    """Built-in profiles and recipes; over them the user's own recipes, if there are any, and
    over those the overlay folders of the settings."""
    own = own_recipes()
    return load_catalog(
        settings.profile_dirs, (*([own] if own.is_dir() else []), *settings.recipe_dirs)
    )


def host_for(settings: Settings, *, refresh: bool = False) -> Host:
    """This machine, from the cache where nothing changed."""
    return detect.host(store=settings.store_path, cache_dir=cache_dir(), refresh=refresh)


def model_for(catalog: Catalog, settings: Settings) -> ModelManifest:
    """The model of the settings (a name, an address or a path), else the manifest marked
    default. Raises UsageError."""
    if settings.model:
        endpoint = places.mirrors(settings).endpoint
        return names.resolve(settings.model, catalog, endpoint=endpoint)
    defaults = [manifest for manifest in catalog.models.values() if manifest.default]
    if defaults:
        return defaults[-1]  # a later folder's wins
    raise UsageError(
        "no model is marked as the default",
        why="no file in recipes/models has 'setup_default: true'",
        next_step="smolpc models.list",
    )


def choose_target(
    settings: Settings,
    *,
    refresh: bool = False,
    with_model: bool = True,
    without: Collection[str] = (),
) -> Target:
    """Decide everything that a setup needs, without doing anything.

    A profile whose engine failed its self-check here is passed over, with a note, unless it
    was asked for by name. `without`: tools that could not be fetched.
    """
    catalog = catalog_for(settings)
    host = host_for(settings, refresh=refresh)
    store = Store(settings.store_path)
    profiles, notes = dict(catalog.profiles), list[str]()

    def decide(able: Host) -> Target:
        return _target(settings, catalog, able, store, profiles, with_model=with_model)

    while True:
        try:
            target = decide(with_fetchable(host, catalog.tools.values()))
            # What cannot be had counts all the same for an engine that is here already.
            if (settings.offline or without) and not store.artifact(target.key).exists():
                target = decide(with_obtainable(settings, catalog, host, without))
        except NoProfileError as error:
            if notes:  # every profile that fits was refused
                error.why, error.next_step = "; ".join(notes), "smolpc setup --refresh"
            raise
        refused = refusals.refusal(store, target.key)
        if settings.profile or not refused:
            break
        notes.append(f"{target.profile.name} was passed over: {refused}")
        del profiles[target.profile.name]
    notes += target.notes
    if not uses_gpu(target.profile):
        notes += missing_tools.hints(settings, catalog, host, without)
    if target.toolchain and not store.artifact(target.key).exists():
        fetched = [tool.name for tool in target.toolchain.fetched]
        notes += missing_tools.terms(fetched, catalog, host, store)
    return msgspec.structs.replace(target, notes=tuple(notes))


def _target(
    settings: Settings,
    catalog: Catalog,
    host: Host,
    store: Store,
    profiles: Mapping[str, Profile],
    *,
    with_model: bool,
) -> Target:
    recipe = catalog.engine(settings.engine)
    selection = select(profiles, host, recipe, settings.profile or None)
    if is_cross(selection.profile):
        raise UsageError(
            f"{selection.profile.name} builds for another kind of machine",
            why="an engine is used only where a self-check proved it, and it cannot run here",
            next_step=f"smolpc profiles.render {selection.profile.name} --out DIR",
        )
    notes = selection.notes
    toolchain: Toolchain | None
    try:
        toolchain = choose(host, selection.target, catalog.tools)
    except PrerequisiteError as error:
        reused = _stored(settings, store, recipe, selection, host)
        if reused is None:
            raise
        toolchain, spec = None, reused.spec
        notes = (*notes, f"{error.what}: the stored engine {spec.key[:12]} is reused")
        if reused.profile != selection.profile.name:
            selection = select(profiles, host, recipe, reused.profile)
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
        model=_model(settings, catalog, store) if with_model else None,
        pipeline_text=catalog.pipeline(settings.pipeline),
    )


def _model(settings: Settings, catalog: Catalog, store: Store) -> ModelManifest:
    """The model to set up, with its digest, under a licence that is allowed."""
    manifest = model_for(catalog, settings)
    registry.require_licence(manifest, settings.licenses)
    return pins.pinned(manifest, store)


def _stored(
    settings: Settings, store: Store, recipe: EngineRecipe, selection: Selection, host: Host
) -> Artifact | None:
    """The best stored engine of this recipe that runs on this host, by the profiles' order."""
    wanted = (recipe.commit, recipe.tree_sha256, bindings_digest(recipe), patches(recipe))
    found = {
        artifact.profile: artifact
        for _, artifact in artifacts.readable(store)
        if artifact is not None
        and not fitness.unmet(artifact.requirements, host)
        and wanted
        == (
            artifact.spec.commit,
            artifact.spec.tree_sha256,
            artifact.spec.bindings_sha256,
            artifact.spec.patches,
        )
    }
    fitting = (verdict.profile for verdict in selection.ranked if verdict.fits)
    named = [settings.profile] if settings.profile else fitting
    return next((found[name] for name in named if name in found), None)
