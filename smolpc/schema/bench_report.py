"""What the commands `bench.*` report with `--json`."""

from __future__ import annotations

from smolpc.schema.base import Value
from smolpc.schema.bench import Comparison, Estimate, Scenario


class CompareReport(Value, kw_only=True):
    """`bench.compare`. `failed`: the conditions of `--fail-if` that were met, in words."""

    format: int = 1
    base: str
    new: str
    comparisons: tuple[Comparison, ...]
    failed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class HistoryEntry(Value, kw_only=True):
    """One kept result in short. `decode`: tokens per second of each player, over all scenarios."""

    id: str
    created: str
    model: str
    blocks: int  # that count
    decode: dict[str, Estimate]


class HistoryReport(Value, kw_only=True):
    """`bench.history`, the oldest first."""

    format: int = 1
    results: tuple[HistoryEntry, ...]


class ScenariosReport(Value, kw_only=True):
    """`bench.scenarios`."""

    format: int = 1
    scenarios: tuple[Scenario, ...]
