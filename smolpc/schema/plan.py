"""A plan: every step that will happen, as a value."""

from __future__ import annotations

from typing import Literal

from smolpc.schema.base import Bytes, Value

State = Literal["cached", "to-do", "skipped"]


class Step(Value, kw_only=True):
    """One node of the graph. `seconds` is an estimate for this machine."""

    id: str
    kind: str  # names the function that performs it
    title: str
    needs: tuple[str, ...] = ()
    inputs: dict[str, str] = {}
    output: str = ""  # where the result will be
    key: str = ""
    state: State = "to-do"
    reason: str = ""
    fetch_bytes: Bytes = 0
    disk_bytes: Bytes = 0
    seconds: float = 0


class Plan(Value, kw_only=True):
    """The whole graph, in an order that respects `needs`."""

    format: int = 1
    pipeline: str
    profile: str
    why: str
    key: str
    model: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()  # fallbacks and things that stay unused

    @property
    def to_do(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.state == "to-do")
