"""Settings with the places they came from: what `config.show` and `config.set` print."""

from __future__ import annotations

from typing import Literal

from smolpc.schema.base import Value

# Weakest first. "model": what an imported model brought along; "tuned": what `tune` measured.
LayerName = Literal[
    "default", "model", "tuned", "machine", "user", "project", "environment", "command line"
]
Plain = str | int | float | bool


class Overridden(Value, kw_only=True):
    """A value that a stronger layer replaced."""

    value: Plain
    layer: LayerName
    origin: str


class Setting(Value, kw_only=True):
    """One effective setting and where it came from."""

    name: str
    value: Plain
    origin: str  # for people: "default", a path, "environment variable SMOLPC_JOBS"
    layer: LayerName = "default"
    overridden: tuple[Overridden, ...] = ()  # weakest first, without the default


class ConfigReport(Value, kw_only=True):
    """`config.show`."""

    format: int = 1
    files: tuple[str, ...]  # weakest first; those of machine and user may not exist
    model: str = ""  # the model whose own values count
    settings: tuple[Setting, ...]


class ConfigChange(Value, kw_only=True):
    """`config.set` and `config.unset`."""

    format: int = 1
    file: str
    name: str
    before: Plain | None  # in this file; None: it was not set there
    after: Plain | None  # None: it is not set there any more
    effective: Setting | None  # what counts now, which a stronger layer may decide; None: unknown
