"""What building an engine takes: time and disk. Estimates, pure."""

from __future__ import annotations

from collections.abc import Iterable

from smolpc.plan.requirements import BuildTarget
from smolpc.schema.base import Value
from smolpc.schema.engine import EngineRecipe, ToolRecipe


class Cost(Value, kw_only=True):
    """`seconds` are those of one core."""

    seconds: float
    build_bytes: int
    artifact_bytes: int


def build_cost(target: BuildTarget, recipe: EngineRecipe, parts: Iterable[ToolRecipe]) -> Cost:
    """The recipe's figures for a plain build, and what features and fetched `parts` add."""
    features = [recipe.features[name] for name in target.features]
    architectures = len(target.profile.build.gpu_architectures)
    return Cost(
        seconds=recipe.seconds_per_core
        + sum(one.seconds + one.seconds_per_architecture * architectures for one in features),
        build_bytes=recipe.build_bytes + sum(one.build_bytes for one in features),
        artifact_bytes=recipe.artifact_bytes
        + sum(one.artifact_bytes for one in features)
        + sum(part.runtime_bytes for part in parts),
    )
