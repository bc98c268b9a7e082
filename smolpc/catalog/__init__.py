"""What the YAML files say: profiles, engine recipes, tools, models, pipelines, templates.

Built-in folders come first; overlay folders (`SMOLPC_PROFILES`, `SMOLPC_RECIPES`) come
after them and win by name. Each kind is read when it is first asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from smolpc.catalog.families import Models, load_families, unknown_model
from smolpc.catalog.profiles import load_profiles
from smolpc.catalog.reading import convert, did_you_mean, read_mapping
from smolpc.errors import UsageError
from smolpc.schema.bench import Scenario
from smolpc.schema.engine import EngineRecipe, ToolRecipe
from smolpc.schema.hardware import Speeds
from smolpc.schema.model import ModelManifest
from smolpc.schema.profile import Profile

T = TypeVar("T")
PACKAGE = Path(__file__).parent.parent


def builtin(name: str) -> Path:
    """The shipped folder `profiles` or `recipes`: beside the package in a checkout, inside
    it when installed from a wheel."""
    checkout = PACKAGE.parent / name
    return checkout if checkout.is_dir() else PACKAGE / "_data" / name


class Catalog:
    """Everything that is declared. Values are read once; reading may raise UsageError."""

    def __init__(self, profile_dirs: Sequence[Path], recipe_dirs: Sequence[Path]) -> None:
        self._profile_dirs, self._recipe_dirs = tuple(profile_dirs), tuple(recipe_dirs)

    @functools.cached_property
    def profiles(self) -> dict[str, Profile]:
        """By name, `extends` resolved; abstract ones are included."""
        features = {name for engine in self.engines.values() for name in engine.features}
        return load_profiles(self._files("profiles"), features)

    @functools.cached_property
    def engines(self) -> dict[str, EngineRecipe]:
        return self._all("engines", EngineRecipe)

    @functools.cached_property
    def tools(self) -> dict[str, ToolRecipe]:
        return self._all("tools", ToolRecipe)

    @functools.cached_property
    def registry(self) -> Models:
        """The models of all families, with every name they have."""
        layers: dict[Path, list[Path]] = {folder: [] for folder in self._recipe_dirs}
        for path in self._files("models").values():
            layers[path.parent.parent].append(path)
        return load_families(list(layers.values()))

    @property
    def models(self) -> dict[str, ModelManifest]:
        """By name; those of the user's own folders come last."""
        return self.registry.manifests

    @functools.cached_property
    def speeds(self) -> Speeds:
        """What speed estimates are made from (`recipes/hardware/speeds.yaml`)."""
        return _known(self._all("hardware", Speeds), "speeds", "hardware")

    @functools.cached_property
    def scenarios(self) -> dict[str, Scenario]:
        """What benchmarks measure (`recipes/benchmarks/`)."""
        return self._all("benchmarks", Scenario)

    def profile(self, name: str) -> Profile:
        """The profile of that name. Raises UsageError with a did-you-mean."""
        return _known(self.profiles, name, "profiles")

    def engine(self, name: str) -> EngineRecipe:
        """The engine recipe of that name. Raises UsageError with a did-you-mean."""
        return _known(self.engines, name, "engines")

    def source(self, kind: str, name: str) -> Path:
        """The file that defines `name`; `kind` is profiles, engines, tools or models."""
        if kind == "models":
            return _known(self.registry.files, name, kind)
        return _known(self._files(kind), name, kind)

    def pipeline(self, name: str) -> str:
        """The text of `recipes/pipelines/<name>.yaml.j2`."""
        pipelines = self._files("pipelines", ".yaml.j2")
        return _known(pipelines, name, "pipelines").read_text(encoding="utf-8")

    def template(self, name: str) -> str:
        """The text of `recipes/templates/<name>.j2`."""
        templates = self._files("templates", ".j2")
        return _known(templates, name, "templates").read_text(encoding="utf-8")

    def prompt(self, name: str) -> str:
        """The text of the system prompt `recipes/prompts/<name>.md`."""
        prompts = self._files("prompts", ".md")
        return _known(prompts, name, "prompts").read_text(encoding="utf-8")

    def _files(self, kind: str, suffix: str = ".yaml") -> dict[str, Path]:
        if kind == "profiles":
            folders = self._profile_dirs
        else:
            folders = tuple(folder / kind for folder in self._recipe_dirs)
        return {
            path.name.removesuffix(suffix): path
            for folder in folders
            for path in sorted(folder.glob(f"*{suffix}"))
        }

    def _all(self, kind: str, struct: type[T]) -> dict[str, T]:
        files = self._files(kind).items()
        return {name: convert(read_mapping(path), struct, path) for name, path in files}


def _known(values: Mapping[str, T], name: str, kind: str) -> T:
    if name not in values:
        raise UsageError(
            f"there is no '{name}' among the {kind}{did_you_mean(name, values)}",
            why=f"known: {', '.join(sorted(values)) or 'none'}",
            next_step="smolpc config.show" if kind != "profiles" else "smolpc profiles.list --all",
        )
    return values[name]


def load_catalog(profile_dirs: Sequence[Path] = (), recipe_dirs: Sequence[Path] = ()) -> Catalog:
    """The built-in catalog with overlay folders on top. Raises UsageError when an overlay
    folder does not exist."""
    for folder in (*profile_dirs, *recipe_dirs):
        if not folder.is_dir():
            raise UsageError(
                f"the overlay folder {folder} does not exist",
                why="it is named in SMOLPC_PROFILES or SMOLPC_RECIPES",
                next_step=f"mkdir -p {folder}",
            )
    return Catalog((builtin("profiles"), *profile_dirs), (builtin("recipes"), *recipe_dirs))


def resolve_model(catalog: Catalog, name: str) -> ModelManifest:
    """The manifest of that name or alias. Raises UsageError with a did-you-mean.

    Paths, addresses and `hf:` names are understood by `smolpc.models.names`.
    """
    found = catalog.registry.find(name)
    if found is None:
        raise unknown_model(catalog.registry, name)
    return found
