"""Settings in layers, each value with its origin.

Weakest first: default, what an imported model brings along, what `tune` measured, the file of
the machine, of the user, of the project (`.smolpc.yaml`), `SMOLPC_*` environment variables, the
command line. Files are YAML; `smolpc config.show` prints every value with its place.
"""

from smolpc.schema.config_report import Setting
from smolpc.settings.known import RUNNING, SAMPLING, Settings
from smolpc.settings.layers import Config, Layer, config_of, load, load_config
from smolpc.settings.places import (
    cache_dir,
    checkout,
    config_files,
    default_store,
    machine_file,
    own_recipes,
    project_file,
    user_file,
)
from smolpc.settings.sizes import size_of

__all__ = [
    "RUNNING",
    "SAMPLING",
    "Config",
    "Layer",
    "Setting",
    "Settings",
    "cache_dir",
    "checkout",
    "config_files",
    "config_of",
    "default_store",
    "load",
    "load_config",
    "machine_file",
    "own_recipes",
    "project_file",
    "size_of",
    "user_file",
]
