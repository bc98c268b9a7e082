"""Which figures of two results are about the same thing: scenario, version, variant, file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from smolpc.schema.bench import BenchResult, Estimate, Metric, Variant


class Key(NamedTuple):
    scenario: str
    version: int
    variant: str
    model: str
    model_sha256: str
    metric: Metric


def keyed(result: BenchResult) -> Iterator[tuple[Key, Variant, Estimate]]:
    """Every summary whose scenario and variant the result describes."""
    versions = {one.name: one.version for one in result.scenarios}
    variants = {one.name: one for one in result.variants}
    for one in result.summaries:
        variant = variants.get(one.variant)
        if one.scenario in versions and variant is not None:
            key = Key(
                one.scenario,
                versions[one.scenario],
                variant.name,
                variant.model,
                variant.model_sha256,
                one.metric,
            )
            yield key, variant, one.value


def one_name(key: Key, names: dict[str, str]) -> Key:
    """The key with the first name that this file had; `names` remembers them by digest. A file
    may have several names, and players have their own."""
    if not key.model_sha256:
        return key
    return key._replace(model=names.setdefault(key.model_sha256, key.model))


def when(result: BenchResult) -> tuple[datetime, str]:
    """For sorting by time; a time without a zone is UTC, one that cannot be read comes first."""
    try:
        time = datetime.fromisoformat(result.created)
    except ValueError:
        time = datetime.min
    return (time if time.tzinfo else time.replace(tzinfo=UTC)), result.id
