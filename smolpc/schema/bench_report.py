"""What the commands `bench.*` report with `--json`."""

from __future__ import annotations

from smolpc.schema.base import Value
from smolpc.schema.bench import Comparison, Scenario


class CompareReport(Value, kw_only=True):
    """`bench.compare`. `failed`: the conditions of `--fail-if` that were met, in words."""

    format: int = 1
    base: str
    new: str
    comparisons: tuple[Comparison, ...]
    failed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class ScenariosReport(Value, kw_only=True):
    """`bench.scenarios`."""

    format: int = 1
    scenarios: tuple[Scenario, ...]
