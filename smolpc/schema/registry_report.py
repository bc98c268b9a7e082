"""What `models.show`, `models.add`, `models.forget` and `models.unpin` print with `--json`."""

from __future__ import annotations

from smolpc.schema.base import Value
from smolpc.schema.model import ModelManifest


class PinReport(Value, kw_only=True):
    """The digest that this store trusted at first use."""

    sha256: str
    source: str
    time: str


class ModelReport(Value, kw_only=True):
    """Everything about one model. Addresses are without user, password and query."""

    format: int = 1
    manifest: ModelManifest
    state: str  # confirmed, unconfirmed, pinned here, own; "own, not pinned"
    declared_in: str  # the family file; "": in none
    path: str  # where its file is on this machine; "": not here
    places: tuple[str, ...]  # where it can be had, in the order they are asked
    pin: PinReport | None = None
    licence_note: str = ""


class AddReport(Value, kw_only=True):
    """A model was declared in `path`."""

    format: int = 1
    path: str
    manifest: ModelManifest


class ForgetReport(Value, kw_only=True):
    """`removed` is the file that is gone; "": there was none."""

    format: int = 1
    name: str
    removed: str
