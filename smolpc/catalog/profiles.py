"""Profiles that extend other profiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import msgspec

from smolpc.catalog.reading import convert, did_you_mean, fail, line_of, read_mapping
from smolpc.schema.profile import Profile

OWN = ("name", "summary", "extends", "abstract", "manual", "yields")  # never inherited


def load_profiles(files: Mapping[str, Path], features: Iterable[str]) -> dict[str, Profile]:
    """All profiles, `extends` resolved, sorted by name.

    `features` are the feature names that engine recipes define. Raises UsageError for an
    unknown key, feature, parent or `yields.to`, and for profiles that extend or yield to
    each other in a circle.
    """
    raw = {name: read_mapping(path) for name, path in files.items()}
    own = {name: convert(data, Profile, files[name]) for name, data in raw.items()}
    known = {*features, "native"}
    for name, profile in own.items():
        _check_names(profile, files[name], own, known)
    _no_circle(files, "yields", {n: [y.to for y in p.yields] for n, p in own.items()})
    order = _no_circle(
        files, "extends", {n: [p.extends] if p.extends else [] for n, p in own.items()}
    )
    whole: dict[str, dict[str, Any]] = {}
    for name in order:
        parent = own[name].extends
        inherited = {k: v for k, v in whole[parent].items() if k not in OWN} if parent else {}
        whole[name] = _merge(inherited, raw[name])
    return {name: msgspec.convert(whole[name], Profile) for name in sorted(whole)}


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are merged key by key; lists and single values are replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _check_names(
    profile: Profile, path: Path, profiles: Mapping[str, Profile], known: set[str]
) -> None:
    for key in ("backends", "cpu", "options"):
        for index, feature in enumerate(getattr(profile.build, key)):
            if feature not in known:
                what = f"unknown feature '{feature}' in build.{key}"
                line = line_of(path, ("build", key, index))
                fail(path, what + did_you_mean(feature, known), line=line)
    if profile.extends and profile.extends not in profiles:
        what = f"extends unknown profile '{profile.extends}'"
        line = line_of(path, ("extends",))
        fail(path, what + did_you_mean(profile.extends, profiles), line=line)
    for index, other in enumerate(profile.yields):
        if other.to not in profiles:
            what = f"yields to unknown profile '{other.to}'"
            line = line_of(path, ("yields", index, "to"))
            fail(path, what + did_you_mean(other.to, profiles), line=line)


def _no_circle(files: Mapping[str, Path], key: str, edges: Mapping[str, list[str]]) -> list[str]:
    try:
        return list(TopologicalSorter(edges).static_order())
    except CycleError as error:
        circle = error.args[1]
        path = files[circle[0]]
        fail(
            path,
            f"'{key}' goes round in a circle: {' -> '.join(reversed(circle))}",
            line=line_of(path, (key,)),
        )
