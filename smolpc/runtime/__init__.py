"""Running models in process with an artifact's own libraries and bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smolpc.runtime.engine import Engine
    from smolpc.runtime.trust import prove
    from smolpc.schema.running import Message, Piece, Request, RunSettings, Sampling

__all__ = ["Engine", "Message", "Piece", "Request", "RunSettings", "Sampling", "prove"]

_HOMES = {
    "Engine": "smolpc.runtime.engine",
    "Message": "smolpc.schema.running",
    "Piece": "smolpc.schema.running",
    "Request": "smolpc.schema.running",
    "RunSettings": "smolpc.schema.running",
    "Sampling": "smolpc.schema.running",
    "prove": "smolpc.runtime.trust",
}


def __getattr__(name: str) -> Any:
    """Import a name where it is first used, so that a trust child or `--help` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
