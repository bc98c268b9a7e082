"""The settings that were chosen for one model, each with its reason: `run --explain`."""

from __future__ import annotations

from smolpc.schema.base import Bytes, Value
from smolpc.schema.config_report import LayerName, Plain
from smolpc.schema.fit import Choice, Device
from smolpc.schema.running import RunSettings, Sampling


class Reason(Value, kw_only=True):
    """Why one setting has its value, in words."""

    setting: str
    value: Plain
    layer: LayerName
    origin: str  # for people: "default", "measured here", a path, an environment variable
    why: str


class Running(Value, kw_only=True):
    """What `plan.running.choose` returns."""

    settings: RunSettings
    choice: Choice  # the memory that these settings take, device by device
    reasons: tuple[Reason, ...]  # one for every setting
    notes: tuple[str, ...] = ()  # what the user must know: something was cut, memory is short


class ExplainReport(Value, kw_only=True):
    """`run --explain --json`."""

    format: int = 1
    model: str
    model_sha256: str
    artifact: str  # "": no engine is set up yet
    weights: Bytes
    trained_context: int  # tokens
    devices: tuple[Device, ...]  # what this machine has
    running: Running
    sampling: Sampling
    sampling_reasons: tuple[Reason, ...]
