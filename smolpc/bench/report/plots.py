"""Where the marks of a plot go: pure geometry, in the units of the SVG. The template draws them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10

import msgspec

from smolpc.bench.report.figures import LOOKS, clean, interval, known, number, scaled, short
from smolpc.schema.base import Value
from smolpc.schema.bench import Answer, BenchResult, Estimate, Metric

WIDTH = 340.0
LEFT, RIGHT, TOP = 12.0, 328.0, 8.0
ROW = 48.0  # height of one variant: its name, then its dots
NAME, STRIP = 13.0, 31.0  # within a row: baseline of the name, middle of the dots
AXIS = 40.0  # below the rows: numbers and title
TICKS = 5
LONGEST = 32  # characters of a name
TOGETHER = 42  # characters of a name and its figures side by side
JITTER = (0.0, 4.4, -4.4, 2.2, -2.2)  # so that equal answers do not hide each other
SMALLEST = 0.01  # air beside the outer values, as a share: an axis shows no rounding errors
FROM_ZERO = 0.4  # an axis begins at zero when the smallest value is below this share of the largest


class Dot(Value, kw_only=True):
    x: float
    y: float
    counts: bool


class Strip(Value, kw_only=True):
    """One variant: its dots, and a mark for the median with its interval."""

    name: str
    full_name: str
    text: str = ""  # "42.1 (41.0 to 43.0)"
    shown: str = ""  # the same, without the interval where the name leaves no room
    top: float
    dots: tuple[Dot, ...]
    median: float | None = None
    low: float | None = None
    high: float | None = None


class Tick(Value, kw_only=True):
    x: float
    text: str


class Plot(Value, kw_only=True):
    title: str
    unit: str
    strips: tuple[Strip, ...]
    ticks: tuple[Tick, ...]
    outside: int  # answers that do not count and lie beyond the axis
    height: float

    @property
    def spoken(self) -> str:
        """The plot for those who do not see it."""
        said = "; ".join(f"{one.full_name}: {one.text or 'not measured'}" for one in self.strips)
        return f"{self.title}, {self.unit}. {said}"


def plot(result: BenchResult, scenario: str, metric: Metric) -> Plot | None:
    """Each answer as a dot; None when nothing was measured."""
    look = LOOKS[metric]
    answers = [one for one in result.answers if one.scenario == scenario]
    values = {
        one.variant: one.value
        for one in result.summaries
        if (one.scenario, one.metric) == (scenario, metric)
    }
    every = [found for one in answers if (found := _of(one, metric)) is not None]
    good = [one for one in answers if not one.flags]
    counted = [found for one in good if (found := _of(one, metric)) is not None]
    edges = [
        found
        for one in values.values()
        for edge in (one.median, one.low, one.high)
        if (found := scaled(metric, edge)) is not None
    ]
    shown = [*counted, *edges] or every
    if not shown:
        return None
    low, high = extent(shown)
    strips = tuple(
        _strip(
            variant.name,
            [one for one in answers if one.variant == variant.name],
            values.get(variant.name),
            metric,
            (low, high),
            TOP + place * ROW,
        )
        for place, variant in enumerate(result.variants)
    )
    return Plot(
        title=look.axis,
        unit=look.unit.replace("tokens/s", "tokens per second") or "number",
        strips=strips,
        ticks=tuple(
            Tick(x=across(at, low, high), text=f"{at:.6g}") for at in ticks(low, high, TICKS)
        ),
        outside=sum(not low <= one <= high for one in every),
        height=TOP + ROW * len(strips) + AXIS,
    )


def _of(answer: Answer, metric: Metric) -> float | None:
    value: float | None = getattr(answer, metric)
    return scaled(metric, value)


def _strip(
    name: str,
    answers: Sequence[Answer],
    value: Estimate | None,
    metric: Metric,
    axis: tuple[float, float],
    top: float,
) -> Strip:
    low, high = axis
    dots = tuple(
        Dot(
            x=across(at, low, high),
            y=round(top + STRIP + JITTER[place % len(JITTER)], 1),
            counts=not one.flags,
        )
        for place, one in enumerate(answers)
        if (at := _of(one, metric)) is not None and low <= at <= high
    )
    strip = Strip(name=short(name, LONGEST), full_name=clean(name), top=top, dots=dots)
    if value is None or known(value.median) is None:
        return strip
    between = interval(value, LOOKS[metric].scale)
    places = {
        edge: across(found, low, high)
        for edge in ("median", "low", "high")
        if (found := scaled(metric, getattr(value, edge))) is not None
    }
    if not between:
        places = {"median": places["median"]}
    middle = number(scaled(metric, value.median))
    text = f"{middle} ({between})" if between else middle
    shown = text if len(strip.name) + len(text) <= TOGETHER else middle
    return msgspec.structs.replace(strip, text=text, shown=shown, **places)


def across(value: float, low: float, high: float) -> float:
    """Where a value lies between the two ends of the axis."""
    return round(LEFT + (RIGHT - LEFT) * (value - low) / (high - low), 1)


def extent(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis with these values: some air around them, zero when it is near."""
    low, high = min(values), max(values)
    air = max((high - low) * 0.06, high * SMALLEST) or 1.0
    return (0.0 if low < FROM_ZERO * high or low < air else low - air), high + air


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` round numbers from `low` to `high`, in the finest steps of 1, 2 or 5."""
    power = 10.0 ** floor(log10((high - low) / most))
    for step in (power * one for one in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)):
        first, last = ceil(low / step), floor(high / step)
        if last - first < most:
            return [float(f"{n * step:.12g}") for n in range(first, last + 1)]
    return []
