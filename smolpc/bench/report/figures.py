"""How figures and names are written. Whatever a report shows goes through here."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from smolpc.schema.base import Value
from smolpc.schema.bench import Estimate, Metric

LARGEST = 1e15  # nothing that is measured here is larger: such a number is a mistake
SMALLEST = 1e-12  # what is smaller is zero
UNKNOWN = "–"
VERDICTS = {"better": "better", "worse": "worse", "parity": "equal", "unknown": "not clear"}


class Look(Value, kw_only=True):
    """How a metric is shown."""

    title: str  # in the head of a table
    axis: str  # in words, for people who see it the first time
    unit: str
    scale: float = 1.0  # shown = measured * scale


LOOKS: dict[Metric, Look] = {
    "first_token": Look(title="first token", axis="Wait for the first token", unit="s"),
    "prompt": Look(title="prompt", axis="Reading the prompt", unit="tokens/s"),
    "decode": Look(title="decode", axis="Writing the answer", unit="tokens/s"),
    "gap_p50": Look(title="p50 gap", axis="Usual gap between tokens", unit="ms", scale=1000),
    "gap_p95": Look(title="p95 gap", axis="Long gap between tokens (p95)", unit="ms", scale=1000),
    "gap_p99": Look(title="p99 gap", axis="Longest gap but 1 % (p99)", unit="ms", scale=1000),
    "total": Look(title="whole answer", axis="Time for the whole answer", unit="s"),
    "cpu": Look(title="processors", axis="Processors in use", unit=""),
    "memory": Look(title="memory", axis="Memory", unit="MB", scale=1e-6),
    "vram": Look(title="graphics memory", axis="Graphics memory", unit="MB", scale=1e-6),
    "energy": Look(title="energy", axis="Energy for the answer", unit="J"),
    "load": Look(title="loading", axis="Loading the model", unit="s"),
}


def known(value: float | None) -> float | None:
    """The value, or None where it is no measurement: not a number, negative, beyond reason."""
    if value is None or not isfinite(value) or not 0 <= value <= LARGEST:
        return None
    return float(value) if value >= SMALLEST else 0.0


def number(value: float | None) -> str:
    """Three figures: "0.0123", "1.23", "45.6", "789"."""
    value = known(value)
    if value is None:
        return UNKNOWN
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    if value >= 1:
        return f"{value:.2f}"
    return f"{value:.3f}" if value >= 0.1 or not value else f"{value:.3g}"


def times(value: float | None) -> str:
    """A ratio: "1.31"; three places where two would hide that it is not 1."""
    value = known(value)
    if value is None:
        return UNKNOWN
    if value >= 10 or value < 0.1:
        return number(value)
    close = value != 1 and f"{value:.2f}" == "1.00"
    return f"{value:.3f}" if close else f"{value:.2f}"


def share(value: float) -> str:
    """A share as per cent: "62 %"."""
    return f"{100 * value:.0f} %" if known(value) is not None else UNKNOWN


def scaled(metric: Metric, value: float | None) -> float | None:
    """The value in the unit that is shown."""
    found = known(value)
    return None if found is None else found * LOOKS[metric].scale


def interval(estimate: Estimate, scale: float = 1.0, *, joined: str = "to") -> str:
    """Where the true value lies: "41.0 to 43.0"; "" where nobody can say."""
    low, high = known(estimate.low), known(estimate.high)
    if low is None or high is None:
        return ""
    return f"{number(low * scale)} {joined} {number(high * scale)}"


def ratios(estimate: Estimate, *, joined: str = "to") -> str:
    """Where the true ratio lies: "1.25 to 1.35"; "" where nobody can say."""
    low, high = known(estimate.low), known(estimate.high)
    if low is None or high is None:
        return ""
    return f"{times(low)} {joined} {times(high)}"


def heading(metric: Metric) -> str:
    """The head of a column: "decode (tokens/s)"."""
    look = LOOKS[metric]
    return f"{look.title} ({look.unit})" if look.unit else look.title


def clean(text: str) -> str:
    """One line without control characters, text direction marks and half characters."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def short(text: str, most: int) -> str:
    """At most so many characters; what is cut is shown by an ellipsis."""
    text = clean(text)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
