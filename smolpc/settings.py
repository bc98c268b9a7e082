"""Layered settings, each with its provenance.

Later layers win: built-in default, machine-wide file, user file, `SMOLPC_*` environment
variable, command line. Files are YAML; `smolpc config.show` prints every value with the
place it came from.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from smolpc.errors import UsageError
from smolpc.schema.base import Value
from smolpc.schema.report import Setting
from smolpc.schema.running import Reuse

NOT_SETTINGS = {"SMOLPC_CONFIG"}


SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmg]?)b?", re.IGNORECASE | re.ASCII)
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
Count = Annotated[int, msgspec.Meta(ge=0)]


class Settings(Value, kw_only=True):
    """Everything a user may set. Empty text means: let smolpc decide."""

    store: str = ""  # folder of artifacts and models; default: see `default_store`
    profiles: str = ""  # extra profile folders, separated like PATH
    recipes: str = ""  # extra recipe folders, separated like PATH
    engine: str = "llama.cpp"  # engine recipe
    engine_source: str = ""  # a local archive or folder of the engine, tried first
    pipeline: str = "setup"  # recipes/pipelines/<name>.yaml.j2
    profile: str = ""  # hardware profile by name; default: the best that fits
    model: str = ""  # model by name; default: the manifest marked default
    jobs: Count = 0  # parallel compile jobs; 0: usable cores, fewer when memory is short
    compiler_cache: bool = True  # use ccache or sccache where the machine has one
    offline: bool = False  # never use the network
    machine_store: str = ""  # folder whose models all users share; default: the system's, if made
    licenses: str = ""  # licence ids that may be pulled, separated by spaces; empty: all
    hf_endpoint: str = ""  # another Hugging Face (a mirror); default: HF_ENDPOINT, then the hub
    model_mirrors: str = ""  # URLs or folders asked first; spaces between, "..." around one
    download_limit: str = ""  # bytes a second, such as 5M; empty: no limit
    download_streams: Count = 0  # connections a file; 0: more than one only where it is faster
    quiet_hours: str = ""  # no downloads in this time of day, such as 08:00-15:30
    keep_generations: Count = 2  # earlier setups that artifacts.gc keeps usable
    context: Count = 0  # tokens of context for run; 0: up to 4096, never above the model's
    threads: Count = 0  # 0: usable physical (or performance) cores
    prompt_cache: Reuse = "auto"  # reuse of computed prompts: auto, exact, fast or off
    prompt_cache_limit: str = "1G"  # bytes of computed prompts on the disk; 0: none

    @property
    def store_path(self) -> Path:
        return Path(self.store).expanduser().absolute()

    @property
    def machine_store_path(self) -> Path | None:
        """The store that all users of this PC share, or None. Without the setting it is
        `smolpc` in the system's data folder, if only an administrator can have made it."""
        if self.machine_store:
            return Path(self.machine_store).expanduser().absolute()
        from platformdirs import site_data_path

        folder = site_data_path("smolpc", appauthor=False)
        return folder if _made_by_root(folder) else None

    @property
    def prompt_cache_bytes(self) -> int:
        """0: nothing is kept on the disk. Raises UsageError."""
        found = SIZE.fullmatch(self.prompt_cache_limit.strip())
        if found is None:
            raise UsageError(
                f"setting 'prompt_cache_limit' has a wrong value: {self.prompt_cache_limit!r}",
                why="it is a number of bytes, with k, M or G behind it, such as 1.5G",
                next_step="smolpc config.show",
            )
        return int(float(found[1]) * UNITS[found[2].lower()])

    @property
    def profile_dirs(self) -> tuple[Path, ...]:
        return _folders(self.profiles)

    @property
    def recipe_dirs(self) -> tuple[Path, ...]:
        return _folders(self.recipes)


def _made_by_root(folder: Path) -> bool:
    """Whether root owns the folder and nobody else can write to it. Never on Windows, where
    every user may make folders beside it."""
    try:
        found = folder.stat()
    except OSError:
        return False
    return hasattr(os, "geteuid") and found.st_uid == 0 and not found.st_mode & 0o022


def _folders(text: str) -> tuple[Path, ...]:
    return tuple(Path(part).expanduser().absolute() for part in text.split(os.pathsep) if part)


def checkout() -> Path | None:
    """The folder of the source checkout smolpc runs from, or None when installed."""
    root = Path(__file__).resolve().parent.parent
    return root if (root / "tasks.py").is_file() and (root / "profiles").is_dir() else None


def default_store() -> Path:
    """`artifacts/` of a checkout, else the user's data folder."""
    root = checkout()
    if root is not None:
        return root / "artifacts"
    from platformdirs import user_data_path

    return user_data_path("smolpc", appauthor=False)


def cache_dir() -> Path:
    """Where facts about this machine are remembered; safe to delete."""
    from platformdirs import user_cache_path

    return user_cache_path("smolpc", appauthor=False)


def config_files() -> tuple[Path, ...]:
    """Setting files, weakest first. SMOLPC_CONFIG replaces the user file."""
    from platformdirs import site_config_path, user_config_path

    own = os.environ.get("SMOLPC_CONFIG")
    return (
        site_config_path("smolpc", appauthor=False) / "config.yaml",
        Path(own).expanduser()
        if own
        else user_config_path("smolpc", appauthor=False) / "config.yaml",
    )


def own_recipes() -> Path:
    """The user's own recipes folder; `models.add` writes into its `models`. It may not exist."""
    from platformdirs import user_config_path

    return user_config_path("smolpc", appauthor=False) / "recipes"


def _coerce(name: str, value: Any, origin: str) -> Any:
    """The value with the type of the setting, or a UsageError that names the origin."""
    fields = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    if name not in fields:
        close = difflib.get_close_matches(name, fields, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise UsageError(
            f"unknown setting '{name}' in {origin}{hint}",
            why=f"settings are: {', '.join(fields)}",
            next_step=f"correct it in {origin} (settings: docs/reference.md)",
        )
    try:
        return msgspec.convert(value, fields[name], strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"setting '{name}' in {origin} has a wrong value: {value!r}",
            why=_wanted(fields[name], str(error)),
            next_step=f"correct it in {origin} (settings: docs/reference.md)",
        ) from error


def _wanted(kind: Any, error: str) -> str:
    """What the setting takes, for people."""
    if kind is bool:
        return "it is true or false"
    return "it is a whole number, 0 or more" if kind is not str else error


def _from_file(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(
            f"cannot read {path}", why=str(error.strerror), next_step="make the file readable"
        ) from error
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


def load(
    command_line: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Settings, tuple[Setting, ...]]:
    """The effective settings and, for each, its origin. Raises UsageError."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}

    def lay(layer: Mapping[str, Any], origin: str) -> None:
        for name, value in layer.items():
            values[name] = _coerce(name, value, origin)
            origins[name] = origin

    for path in config_files():
        lay(_from_file(path), str(path))
    for name, value in sorted(environ.items()):
        if name.startswith("SMOLPC_") and name not in NOT_SETTINGS and value:
            lay({name.removeprefix("SMOLPC_").lower(): value}, f"environment variable {name}")
    lay({name: value for name, value in (command_line or {}).items() if value}, "command line")
    if not values.get("store"):
        values["store"], origins["store"] = str(default_store()), "default"
    settings = Settings(**values)
    report = tuple(
        Setting(name=name, value=getattr(settings, name), origin=origins.get(name, "default"))
        for name in Settings.__struct_fields__
    )
    return settings, report
