"""Settings in layers, weakest first; later layers win, and every value knows its origin."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from smolpc.errors import UsageError
from smolpc.schema.base import Value
from smolpc.schema.config_report import LayerName, Overridden, Setting
from smolpc.settings import places
from smolpc.settings.checks import checked, require_harmless, require_known
from smolpc.settings.known import PER_MODEL, Settings

NOT_SETTINGS = {"SMOLPC_CONFIG", "SMOLPC_API_KEY"}
MODELS = "models"  # in a file: values for one model, by its name
Values = Mapping[str, Any]


class Layer(Value, kw_only=True):
    """Checked values of one place, general ones and those of single models."""

    kind: LayerName
    origin: str
    values: dict[str, Any] = msgspec.field(default_factory=dict)
    models: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)


class Config(Value, kw_only=True):
    """All layers above the defaults, weakest first; what counts may depend on the model."""

    layers: tuple[Layer, ...] = ()

    @property
    def settings(self) -> Settings:
        """What counts when nothing is said about a model."""
        return self.for_model()[0]

    @property
    def has_models(self) -> bool:
        """Whether any layer says something about single models."""
        return any(layer.models for layer in self.layers)

    def over(self, *beneath: Layer) -> Config:
        """The same with layers that are only stronger than the defaults."""
        return Config(layers=(*beneath, *self.layers))

    def for_model(self, names: Collection[str] = ()) -> tuple[Settings, tuple[Setting, ...]]:
        """The effective settings and, for each, the way it came about. `names`: all names of
        the model that will run, whose own values win over the general ones of the same file."""
        trail: dict[str, list[Overridden]] = {}

        def lay(values: Values, kind: LayerName, origin: str) -> None:
            for name, value in values.items():
                step = Overridden(value=value, layer=kind, origin=origin)
                trail.setdefault(name, []).append(step)

        wanted = {key_of(name) for name in names}
        for layer in self.layers:
            lay(layer.values, layer.kind, layer.origin)
            for name, values in layer.models.items():
                if name in wanted:
                    lay(values, layer.kind, f"{layer.origin} (for {name})")
        values = {name: steps[-1].value for name, steps in trail.items()}
        if not values.get("store"):
            values["store"] = str(places.default_store())
            trail.pop("store", None)
        chosen = Settings(**values)
        return chosen, tuple(_setting(chosen, name, trail) for name in Settings.__struct_fields__)


def config_of(settings: Settings) -> Config:
    """Settings that a program made: what differs from the defaults was set by it."""
    default = Settings()
    made = {name: getattr(settings, name) for name in Settings.__struct_fields__}
    values = {name: value for name, value in made.items() if value != getattr(default, name)}
    return Config(layers=(Layer(kind="command line", origin="the program", values=values),))


def load(
    command_line: Values | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Settings, tuple[Setting, ...]]:
    """The effective settings and, for each, its origin, as `load_config` finds them."""
    return load_config(command_line, environ).for_model()


def load_config(
    command_line: Values | None = None, environ: Mapping[str, str] | None = None
) -> Config:
    """Every layer above the defaults. Raises UsageError.

    Empty values of the `command_line` (and None) do not count.
    """
    environ = os.environ if environ is None else environ
    found = [
        from_file(places.machine_file(), "machine"),
        from_file(places.user_file(), "user"),
    ]
    if project := places.project_file():
        found.append(from_file(project, "project"))
    for name, value in sorted(environ.items()):
        if name.startswith("SMOLPC_") and name not in NOT_SETTINGS and value:
            given = {name.removeprefix("SMOLPC_").lower(): value}
            found.append(_layer("environment", f"environment variable {name}", given))
    given = {name: value for name, value in (command_line or {}).items() if _is_given(value)}
    return Config(layers=(*found, _layer("command line", "command line", given)))


def _is_given(value: Any) -> bool:
    return value is not None and value != ""


def _setting(chosen: Settings, name: str, trail: Mapping[str, list[Overridden]]) -> Setting:
    value = getattr(chosen, name)
    if name not in trail:
        return Setting(name=name, value=value, origin="default")
    *weaker, last = trail[name]
    return Setting(
        name=name, value=value, origin=last.origin, layer=last.layer, overridden=tuple(weaker)
    )


def key_of(name: str) -> str:
    """The form in which names of models are compared."""
    return name.strip().lower().replace(":", "-", 1)


def from_file(path: Path, kind: LayerName) -> Layer:
    """The layer of a settings file; empty when there is none. Raises UsageError."""
    data = dict(read(path))
    own = data.pop(MODELS, None) or {}
    layer = _layer(kind, str(path), data)
    if not isinstance(own, dict) or not all(isinstance(one, dict) for one in own.values()):
        raise UsageError(
            f"'{MODELS}' in {path} must hold settings for each model",
            why="such as   models: {smollm2: {context: 2048}}",
            next_step=f"edit {path}",
        )
    of_models: dict[str, dict[str, Any]] = {}
    for name, values in own.items():
        where = f"{path} (for {name})"
        of_models[key_of(str(name))] = _layer(kind, where, values, per_model=True).values
    return Layer(kind=kind, origin=layer.origin, values=layer.values, models=of_models)


def _layer(kind: LayerName, where: str, given: Values, *, per_model: bool = False) -> Layer:
    values = {}
    for name, value in given.items():
        name = str(name)
        if kind == "project":
            require_harmless(name, value, where, f"smolpc config.set {name} VALUE")
        require_known(name, where)
        if per_model and name not in PER_MODEL:
            raise UsageError(
                f"'{name}' cannot be set for one model, as {where} does",
                why=f"these can: {', '.join(sorted(PER_MODEL))}",
                next_step=f"move '{name}' out of '{MODELS}'",
            )
        values[name] = checked(name, value, where)
    return Layer(kind=kind, origin=where, values=values)


def read(path: Path) -> Mapping[str, Any]:
    """The mapping in a settings file, nothing checked; empty when there is no file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(
            f"cannot read {path}", why=str(error.strerror), next_step="make the file readable"
        ) from error
    return parse(data, path)


def parse(data: bytes | str, path: Path) -> Mapping[str, Any]:
    """The mapping that `data` holds. `path` is for messages. Raises UsageError."""
    import yaml

    try:
        found = yaml.safe_load(data)  # bytes: YAML itself knows UTF-8 and UTF-16
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} is not valid YAML", why=" ".join(str(error).split()), next_step=f"edit {path}"
        ) from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise UsageError(
            f"{path} must be a mapping of settings",
            why=f"it is a {type(found).__name__}",
            next_step="smolpc config.show",
        )
    return {str(key): value for key, value in found.items()}
