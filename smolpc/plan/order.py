"""Which of two profiles that fit is preferred: a partial order, and how ties are broken.

1. A profile that uses a GPU comes before one that does not.
2. Otherwise, a profile that asks for everything another one asks for, and for more, comes
   before it: it was made for fewer machines. What neither contains, is not ordered.
3. A measured `yields` overrides both.
4. Of what is left, the one with more required CPU features wins, then the first by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from smolpc.plan.requirements import cpu_needs, uses_gpu, version
from smolpc.schema.engine import EngineRecipe
from smolpc.schema.profile import GpuMatch, LibcMatch, Profile


def best(fits: Sequence[Profile], recipe: EngineRecipe) -> Profile:
    """The preferred one of profiles that all fit (at least one)."""
    names = {profile.name for profile in fits}
    staying = [p for p in fits if not any(other.to in names for other in p.yields)]
    top = [p for p in staying if not any(preferred(q, p, recipe) for q in staying)]
    return min(top, key=lambda p: (-len(cpu_needs(p, recipe)), p.name))


def preferred(a: Profile, b: Profile, recipe: EngineRecipe) -> bool:
    """Whether `a` comes before `b`, apart from `yields` and ties."""
    if uses_gpu(a) != uses_gpu(b):
        return uses_gpu(a)
    return _implies(a, b, recipe) and not _implies(b, a, recipe)


def _implies(a: Profile, b: Profile, recipe: EngineRecipe) -> bool:
    """Whether every machine that meets `a` meets `b` too."""
    left, right = a.match, b.match
    return (
        _within(left.os, right.os)
        and _within(left.arch, right.arch)
        and cpu_needs(a, recipe) >= cpu_needs(b, recipe)
        and right.cpu.vendor in ("", left.cpu.vendor)
        and right.cpu.microarchitecture in ("", left.cpu.microarchitecture)
        and _gpu(left.gpu, right.gpu)
        and right.npu in (None, left.npu)
        and _libc(left.libc, right.libc)
        and _floor(left.min_memory, right.min_memory)
    )


def _within(a: Iterable[str], b: Iterable[str]) -> bool:
    """`a` and `b` list what is allowed; an empty list allows everything."""
    return not b or (bool(a) and set(a) <= set(b))


def _floor(a: Any, b: Any) -> bool:
    return b is None or (a is not None and a >= b)


def _numbers(text: str | None) -> tuple[int, ...] | None:
    return None if text is None else version(text)


def _gpu(a: GpuMatch | None, b: GpuMatch | None) -> bool:
    if a is None or b is None:
        return b is None
    mine, theirs = _numbers(a.max_compute_capability), _numbers(b.max_compute_capability)
    return (
        _within(a.vendor, b.vendor)
        and _floor(_numbers(a.min_compute_capability), _numbers(b.min_compute_capability))
        and (theirs is None or (mine is not None and mine <= theirs))
        and _floor(_numbers(a.min_driver), _numbers(b.min_driver))
        and _floor(a.min_memory, b.min_memory)
        and b.integrated in (None, a.integrated)
    )


def _libc(a: LibcMatch | None, b: LibcMatch | None) -> bool:
    if a is None or b is None:
        return b is None
    return a.name == b.name and _floor(_numbers(a.min_version), _numbers(b.min_version))
