"""Conditions on comparisons, under which a build fails: "decode < 0.97". Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, cast, get_args

from smolpc.bench.summary import METRICS
from smolpc.catalog.reading import did_you_mean
from smolpc.errors import UsageError
from smolpc.schema.base import Value
from smolpc.schema.bench import Comparison, Metric

Sign = Literal["<", "<=", ">", ">="]
SIGNS: tuple[Sign, ...] = get_args(Sign)
EXAMPLE = "decode < 0.97, short-chat.first_token > 110%"
JOINT = re.compile(r",|\s+or\s+")
CONDITION = re.compile(
    r"(?:(?P<scenario>\S+)\.)?(?P<metric>[A-Za-z]\w*)\s*"
    r"(?P<sign>[<>]=?)\s*(?P<number>\d+(?:\.\d*)?|\.\d+)\s*(?P<percent>%?)"
)


class Gate(Value, kw_only=True):
    """It fails where the ratio (variant / base) of the metric is on this side of `number`.

    `scenario` "": in any scenario.
    """

    metric: Metric
    sign: Sign
    number: float
    scenario: str = ""

    def __str__(self) -> str:
        place = f"{self.scenario}." if self.scenario else ""
        return f"{place}{self.metric} {self.sign} {self.number:g}"

    def meets(self, ratio: float) -> bool:
        return {
            "<": ratio < self.number,
            "<=": ratio <= self.number,
            ">": ratio > self.number,
            ">=": ratio >= self.number,
        }[self.sign]

    def concerns(self, one: Comparison) -> bool:
        return one.metric == self.metric and self.scenario in ("", one.scenario)


class Judged(Value, kw_only=True):
    """One gate and one comparison. `failed` None: the data do not say; that fails no build."""

    gate: Gate
    comparison: Comparison
    failed: bool | None
    why: str  # for people


def parse(text: str) -> tuple[Gate, ...]:
    """The gates in "METRIC OP NUMBER[%]", joined by "," or "or"; "SCENARIO.METRIC" limits one to
    a scenario. Raises UsageError."""
    return tuple(_gate(part.strip(), text) for part in JOINT.split(text))


def _gate(part: str, text: str) -> Gate:
    match = CONDITION.fullmatch(part)
    if match is None:
        raise UsageError(
            f"'{part}' is not a condition",
            why=f"in '{text}'; one is METRIC OP NUMBER, with OP one of {' '.join(SIGNS)}",
            next_step=f'write it like --fail-if "{EXAMPLE}"',
        )
    metric = match["metric"].lower()
    if metric not in METRICS:
        raise UsageError(
            f"unknown metric '{match['metric']}'{did_you_mean(metric, METRICS)}",
            why=f"metrics are {', '.join(METRICS)}",
            next_step=f'write it like --fail-if "{EXAMPLE}"',
        )
    number = float(match["number"]) / (100 if match["percent"] else 1)
    if number <= 0:
        raise UsageError(
            f"the number in '{part}' must be more than 0",
            why="it is a ratio: 0.97, or 97%, is 3 % less than before",
            next_step=f'write it like --fail-if "{EXAMPLE}"',
        )
    return Gate(
        scenario=match["scenario"] or "",
        metric=cast(Metric, metric),
        sign=cast(Sign, match["sign"]),
        number=number,
    )


def judge(
    gates: Iterable[Gate], comparisons: Sequence[Comparison], *, strict: bool = False
) -> tuple[Judged, ...]:
    """Each gate with each comparison that it concerns.

    A gate fails where the whole interval meets its condition: noise alone fails no build. With
    `strict` it fails where the median does. Raises UsageError for a gate that concerns
    nothing: it would never fail.
    """
    found: list[Judged] = []
    for gate in gates:
        concerned = [one for one in comparisons if gate.concerns(one)]
        if not concerned:
            raise _nothing(gate, comparisons)
        found += [_judged(gate, one, strict) for one in concerned]
    return tuple(found)


def _judged(gate: Gate, one: Comparison, strict: bool) -> Judged:
    ratio = one.ratio
    shown = f"{one.scenario}, {one.variant}: {one.metric} is {ratio.median:.3f} times the base"
    if strict:
        failed: bool | None = gate.meets(ratio.median)
    elif ratio.low is None or ratio.high is None:
        failed = None
        shown += f"; {ratio.count} measurements are too few to say how sure"
    else:
        low, high = gate.meets(ratio.low), gate.meets(ratio.high)
        failed = low if low == high else None
        shown += f" (between {ratio.low:.3f} and {ratio.high:.3f})"
    return Judged(gate=gate, comparison=one, failed=failed, why=shown)


def _nothing(gate: Gate, comparisons: Sequence[Comparison]) -> UsageError:
    scenarios = list(dict.fromkeys(one.scenario for one in comparisons))
    if gate.scenario and gate.scenario not in scenarios:
        what = f"scenario '{gate.scenario}' was not compared"
        what += did_you_mean(gate.scenario, scenarios)
        why = f"compared are {', '.join(scenarios)}" if scenarios else "nothing was compared"
    else:
        what = f"'{gate.metric}' was not compared"
        known = list(dict.fromkeys(one.metric for one in comparisons))
        why = f"both sides have {', '.join(known)}" if known else "nothing was compared"
    return UsageError(
        what, why=why, next_step="leave the condition out, or measure it on both sides"
    )
