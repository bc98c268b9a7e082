"""The results of one store in a row of time: has it become faster, and what changed? Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from smolpc.bench.report.keys import Key, keyed, one_name, when
from smolpc.schema.bench import BenchResult, Variant
from smolpc.schema.bench_many import Trend, TrendPoint, TrendsReport


def history(results: Iterable[BenchResult]) -> TrendsReport:
    """A trend for each figure, in the order in which they first appeared. A result that is given
    twice counts once."""
    ordered = sorted({one.id: one for one in results}.values(), key=when)
    points: dict[Key, list[TrendPoint]] = {}
    before: dict[Key, Variant] = {}
    names: dict[str, str] = {}
    for result in ordered:
        for found, variant, value in keyed(result):
            key = one_name(found, names)
            trend = points.setdefault(key, [])
            point = TrendPoint(
                run=result.id,
                created=result.created,
                value=value,
                engine=variant.artifact or variant.engine,
                smolpc=result.smolpc,
                fingerprint=result.fingerprint,
            )
            if trend:
                point = _marked(point, trend[-1], variant, before[key])
            trend.append(point)
            before[key] = variant
    return TrendsReport(
        trends=tuple(
            Trend(**key._asdict(), points=tuple(trend))  # the fields of a Key are those of a Trend
            for key, trend in points.items()
        )
    )


def _marked(
    point: TrendPoint, last: TrendPoint, variant: Variant, variant_before: Variant
) -> TrendPoint:
    changed = {
        "engine": point.engine != last.engine,
        "machine": point.fingerprint != last.fingerprint,
        "settings": variant.settings != variant_before.settings,
        "smolpc": point.smolpc != last.smolpc,
    }
    names = tuple(name for name, yes in changed.items() if yes)
    return msgspec.structs.replace(point, changes=names)
