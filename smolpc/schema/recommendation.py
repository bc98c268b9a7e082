"""What `models.recommend` says about each model."""

from __future__ import annotations

from typing import Literal

from smolpc.schema.base import Bytes, Value
from smolpc.schema.fit import FitSettings, Need

Purpose = Literal["code", "chat"]
Mark = Literal["fits", "tight", "does-not-fit"]


class Recommendation(Value, kw_only=True):
    """One model on one machine. Rates are tokens a second, of decoding."""

    model: str
    family: str
    alias: str  # the shortest name to type
    parameters: int
    license: str
    mark: Mark
    score: float  # higher is better; only the order means something
    needs: tuple[Need, ...]  # memory, per device
    disk_needed: Bytes  # 0: it is here already
    disk_free: Bytes
    rate: float
    rate_low: float
    rate_high: float
    settings: FitSettings
    why: str  # one sentence
    installed: bool = False


class RecommendReport(Value, kw_only=True):
    """`best` is the model to take, "" when none fits; `models` are in order, best first."""

    format: int = 1
    purpose: Purpose
    best: str
    measured_bandwidth: float  # bytes a second; 0: taken from the table
    models: tuple[Recommendation, ...]
