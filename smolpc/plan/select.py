"""Which profile a machine gets. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from smolpc.catalog.reading import did_you_mean
from smolpc.errors import NoProfileError, PrerequisiteError, UsageError
from smolpc.plan.explain import chosen, explain, notes
from smolpc.plan.requirements import BuildTarget, build_target, short_name
from smolpc.plan.verdict import Verdict, rank, why
from smolpc.schema.base import Value
from smolpc.schema.engine import EngineRecipe
from smolpc.schema.host import Host
from smolpc.schema.profile import Profile

__all__ = ["Selection", "Verdict", "explain", "rank", "select", "why"]


class Selection(Value, kw_only=True):
    """The chosen profile, made concrete for the machine."""

    target: BuildTarget
    why: str  # one sentence
    notes: tuple[str, ...]  # what the user must know: a GPU that stays unused
    ranked: tuple[Verdict, ...]  # best first; what cannot be chosen comes last

    @property
    def profile(self) -> Profile:
        return self.target.profile

    @property
    def features(self) -> tuple[str, ...]:
        return self.target.features


def select(
    profiles: Mapping[str, Profile],
    host: Host,
    recipe: EngineRecipe,
    wanted: str | None = None,
) -> Selection:
    """The profile for this machine: `wanted` by name, else the best that fits and can be
    built here.

    Raises UsageError for an unknown name, NoProfileError when the wanted one does not fit
    or none does, PrerequisiteError when the wanted one needs a build tool that is missing.
    """
    ranked = rank(profiles, host, recipe)
    if wanted:
        profile = _wanted(wanted, profiles, host, recipe)
        sentence = f"{profile.name} was asked for by name, and {short_name(host.cpu)} can run it"
    elif ranked and ranked[0].eligible:
        profile = profiles[ranked[0].profile]
        sentence = chosen(profile, profiles, ranked, host)
    else:
        raise NoProfileError(
            "no hardware profile fits this machine",
            why="; ".join(f"{v.profile} {', '.join(v.reasons)}" for v in _misses(ranked)),
            next_step="smolpc profiles.list (or write a profile: docs/profiles.md)",
        )
    return Selection(
        target=build_target(profile, host, recipe),
        why=sentence,
        notes=notes(profile, profiles, host, recipe),
        ranked=ranked,
    )


def _misses(ranked: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    return tuple(verdict for verdict in ranked if verdict.reasons)[:3]


def _wanted(
    name: str, profiles: Mapping[str, Profile], host: Host, recipe: EngineRecipe
) -> Profile:
    concrete = [known for known, profile in profiles.items() if not profile.abstract]
    if name not in concrete:
        raise UsageError(
            f"there is no profile '{name}'{did_you_mean(name, concrete)}",
            why=f"known: {', '.join(concrete)}",
            next_step="smolpc profiles.list",
        )
    verdict = why(profiles[name], host, recipe)
    if not verdict.fits:
        raise NoProfileError(
            f"profile {name} does not fit this machine",
            why=f"it {'; it '.join(verdict.reasons)}",
            next_step="smolpc setup (without a profile name, the best one is chosen)",
        )
    if verdict.cannot_build:
        raise PrerequisiteError(
            f"profile {name} fits this machine but cannot be built here",
            why=verdict.cannot_build,
            next_step="smolpc doctor",
        )
    return profiles[name]
