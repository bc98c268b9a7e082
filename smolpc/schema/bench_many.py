"""What several benchmark results say together: over many PCs, and over time."""

from __future__ import annotations

from smolpc.schema.base import Sha256, Value
from smolpc.schema.bench import Count, Estimate, Metric


class MachineClass(Value, kw_only=True):
    """PCs that are alike in what makes a model faster or slower."""

    processor: str  # "Intel Core i5-8500"
    cores: int  # physical
    memory: str  # "16 GB": as it is sold
    graphics: str = ""  # cards with their own memory, "": none


class MergedRow(Value, kw_only=True):
    """One metric of one variant, over the PCs of a class. Each PC counts once."""

    scenario: str
    version: Count  # of the scenario
    variant: str
    model: str
    model_sha256: str
    metric: Metric
    value: Estimate  # the median PC; `count` is the number of PCs
    pcs: tuple[float, ...]  # the figure of each PC, the smallest first
    base: str = ""  # what `ratio` is against
    ratio: Estimate | None = None  # variant / base, over the PCs that have both


class ClassReport(Value, kw_only=True):
    machine: MachineClass
    pcs: int
    rows: tuple[MergedRow, ...]
    notes: tuple[str, ...] = ()


class MergedReport(Value, kw_only=True):
    """Many PCs, by kind."""

    format: int = 1
    classes: tuple[ClassReport, ...]  # the one with the most PCs first


class TrendPoint(Value, kw_only=True):
    """One run."""

    run: str  # id of the result
    created: str
    value: Estimate
    engine: str  # key of our engine, or the version of another program
    smolpc: str
    fingerprint: Sha256  # of the machine
    changes: tuple[str, ...] = ()  # since the run before: "engine", "machine", "settings", "smolpc"


class Trend(Value, kw_only=True):
    """One metric of one variant, the oldest run first."""

    scenario: str
    version: Count
    variant: str
    model: str
    model_sha256: str
    metric: Metric
    points: tuple[TrendPoint, ...]


class TrendsReport(Value, kw_only=True):
    """The runs of one store in the order of time."""

    format: int = 1
    trends: tuple[Trend, ...]
    notes: tuple[str, ...] = ()  # results that could not be read, and why
