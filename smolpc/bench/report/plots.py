"""Where the marks of a plot go: pure geometry, in the units of the SVG. The template draws them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10

import msgspec

from smolpc.bench.report.figures import LOOKS, clean, interval, known, number, scaled, short
from smolpc.schema.base import Value
from smolpc.schema.bench import BenchResult, Estimate, Metric

WIDTH = 340.0
LEFT, RIGHT, TOP = 12.0, 328.0, 8.0
ROW = 48.0  # height of one variant: its name, then its dots
NAME, STRIP = 13.0, 31.0  # within a row: baseline of the name, middle of the dots
AXIS = 40.0  # below the rows: numbers and title
TICKS = 5
LONGEST = 32  # characters of a name
TOGETHER = 42  # characters of a name and its figures side by side
NOTHING, NONE_COUNTS = "not measured", "no answer counts"
JITTER = (0.0, 4.4, -4.4, 2.2, -2.2)  # so that equal answers do not hide each other
SMALLEST = 0.01  # air beside the outer values, as a share: an axis shows no rounding errors
MEANINGLESS = (("llama-bench", "total"),)  # the time of the tool, not that of an answer
FROM_ZERO = 0.4  # an axis begins at zero when the smallest value is below this share of the largest


class Series(Value, kw_only=True):
    """What one strip shows, in the unit of the metric."""

    name: str
    points: tuple[tuple[float | None, bool], ...]  # value, and whether it counts
    value: Estimate | None = None


class Dot(Value, kw_only=True):
    x: float
    y: float
    counts: bool


class Strip(Value, kw_only=True):
    """One row: its dots, and a mark for the median with its interval."""

    name: str
    full_name: str
    text: str = NOTHING  # "42.1 (41.0 to 43.0)"
    shown: str = NOTHING  # the same, without the interval where the name leaves no room
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
        said = "; ".join(f"{one.full_name}: {one.text}" for one in self.strips)
        return f"{self.title}, {self.unit}. {said}"


def plot(result: BenchResult, scenario: str, metric: Metric) -> Plot | None:
    """Each answer as a dot; None when nothing was measured. Programs that do not measure this at
    all have no strip."""
    answers = [one for one in result.answers if one.scenario == scenario]
    values = {
        one.variant: one.value
        for one in result.summaries
        if (one.scenario, one.metric) == (scenario, metric)
    }
    return drawn(
        metric,
        [
            Series(
                name=variant.name,
                points=tuple(
                    (getattr(one, metric), not one.flags)
                    for one in answers
                    if one.variant == variant.name
                ),
                value=values.get(variant.name),
            )
            for variant in result.variants
            if (variant.player, metric) not in MEANINGLESS
        ],
    )


def drawn(metric: Metric, rows: Sequence[Series]) -> Plot | None:
    """A strip for each series, on one axis; None when there is nothing to draw."""
    look = LOOKS[metric]
    every = [(at, counts) for row in rows for at, counts in _places(row, metric)]
    edges = [
        found
        for row in rows
        if row.value is not None
        for edge in (row.value.median, row.value.low, row.value.high)
        if (found := scaled(metric, edge)) is not None
    ]
    shown = [*(at for at, counts in every if counts), *edges] or [at for at, _ in every]
    if not shown:
        return None
    low, high = extent(shown)
    return Plot(
        title=look.axis,
        unit=look.unit.replace("tokens/s", "tokens per second") or "number",
        strips=tuple(
            _strip(row, metric, (low, high), TOP + place * ROW) for place, row in enumerate(rows)
        ),
        ticks=tuple(
            Tick(x=across(at, low, high), text=f"{at:.6g}") for at in ticks(low, high, TICKS)
        ),
        outside=sum(not low <= at <= high for at, _ in every),
        height=TOP + ROW * len(rows) + AXIS,
    )


def _places(row: Series, metric: Metric) -> list[tuple[float, bool]]:
    """The points that can be shown, in the unit of the axis."""
    return [
        (at, counts) for value, counts in row.points if (at := scaled(metric, value)) is not None
    ]


def _strip(row: Series, metric: Metric, axis: tuple[float, float], top: float) -> Strip:
    low, high = axis
    dots = tuple(
        Dot(
            x=across(at, low, high),
            y=round(top + STRIP + JITTER[place % len(JITTER)], 1),
            counts=counts,
        )
        for place, (at, counts) in enumerate(_places(row, metric))
        if low <= at <= high
    )
    strip = Strip(name=short(row.name, LONGEST), full_name=clean(row.name), top=top, dots=dots)
    if dots and not any(dot.counts for dot in dots):
        strip = msgspec.structs.replace(strip, text=NONE_COUNTS, shown=NONE_COUNTS)
    value = row.value
    if value is None or known(value.median) is None:
        return strip
    between = interval(value, LOOKS[metric].scale)
    places = {
        edge: across(found, low, high)
        for edge in (("median", "low", "high") if between else ("median",))
        if (found := scaled(metric, getattr(value, edge))) is not None
    }
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
