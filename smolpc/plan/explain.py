"""One sentence on why a profile was, or was not, chosen; and what stays unused. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from smolpc.catalog.reading import did_you_mean
from smolpc.errors import UsageError
from smolpc.plan import order
from smolpc.plan.requirements import (
    GPU_VENDORS,
    is_cross,
    joined,
    label,
    on_platform,
    short_name,
    uses_gpu,
)
from smolpc.plan.verdict import Verdict, rank, why
from smolpc.schema.engine import EngineRecipe
from smolpc.schema.host import Gpu, Host
from smolpc.schema.profile import Profile


def explain(name: str, profiles: Mapping[str, Profile], host: Host, recipe: EngineRecipe) -> str:
    """One sentence: why the profile was, or was not, chosen for this machine.

    Raises UsageError for an unknown name.
    """
    ranked = rank(profiles, host, recipe)
    verdict = next((verdict for verdict in ranked if verdict.profile == name), None)
    if verdict is None:
        if name in profiles:
            return f"{name} is only there for other profiles to extend."
        known = [verdict.profile for verdict in ranked]
        raise UsageError(
            f"there is no profile '{name}'{did_you_mean(name, known)}",
            why=f"known: {', '.join(sorted(known))}",
            next_step="smolpc profiles.list",
        )
    if not verdict.fits:
        return f"{name} does not fit: it {'; it '.join(verdict.reasons)}."
    if verdict.cannot_build:
        return f"{name} fits the hardware, but cannot be built here: {verdict.cannot_build}."
    if verdict.manual:
        return f"{name} fits, but is only used by name: smolpc setup --profile {name}."
    if ranked[0] is verdict:
        return f"{chosen(profiles[name], profiles, ranked, host)}."
    return f"{name} fits, but {_preferred_to(profiles[name], profiles, ranked, recipe)}."


def chosen(
    profile: Profile,
    profiles: Mapping[str, Profile],
    ranked: tuple[Verdict, ...],
    host: Host,
) -> str:
    """The sentence for the profile that was chosen by itself."""
    fitting = [verdict.profile for verdict in ranked if verdict.eligible]
    text = f"{profile.name} was chosen: it fits this {short_name(host.cpu)}"
    if len(fitting) > 1:
        text += f" and is the first choice of the {len(fitting)} profiles that do"
    for name in fitting:
        for other in profiles[name].yields:
            if other.to == profile.name:
                text += f"; {name} fits too, but {other.because}"
    return text


def _preferred_to(
    profile: Profile,
    profiles: Mapping[str, Profile],
    ranked: tuple[Verdict, ...],
    recipe: EngineRecipe,
) -> str:
    eligible = {verdict.profile for verdict in ranked if verdict.eligible}
    for other in profile.yields:
        if other.to in eligible:
            return f"{other.to} is preferred because {other.because}"
    first = profiles[ranked[0].profile]
    text = f"{first.name} is preferred because it"
    if uses_gpu(first) and not uses_gpu(profile):
        return f"{text} uses the GPU"
    if not order.preferred(first, profile, recipe):
        return (
            f"{text} comes first by required CPU features, then name (neither contains the other)"
        )
    more = [
        label(name, recipe)
        for name in first.build.cpu
        if name not in profile.build.cpu and name in recipe.features
    ]
    return f"{text} also uses {joined(more)}" if more else f"{text} was made for fewer machines"


def notes(
    chosen: Profile, profiles: Mapping[str, Profile], host: Host, recipe: EngineRecipe
) -> tuple[str, ...]:
    """What stays unused although the machine has it: nothing is silently slower."""
    if uses_gpu(chosen) or is_cross(chosen):
        return ()
    users = [
        profile
        for profile in profiles.values()
        if not profile.abstract and uses_gpu(profile) and on_platform(profile, host)
    ]
    said = []
    for gpu in host.gpus:
        if gpu.vendor not in GPU_VENDORS:
            continue  # a virtual display adapter
        alone = msgspec.structs.replace(host, gpus=(gpu,))
        able = [profile for profile in users if _could_use(profile, gpu)]
        said.append(f"{gpu.name} is not used: {_unused(able, alone, chosen, recipe)}")
    return tuple(said)


def _could_use(profile: Profile, gpu: Gpu) -> bool:
    match = profile.match.gpu
    if match is None:  # it asks for no GPU: Apple's have one always, else it is for tests
        return gpu.vendor == "apple"
    return not match.vendor or gpu.vendor in match.vendor


def _unused(able: list[Profile], alone: Host, chosen: Profile, recipe: EngineRecipe) -> str:
    """Why none of the profiles that could use the GPU was taken."""
    if not able:
        return "there is no profile for it on this system"
    verdicts = {profile.name: why(profile, alone, recipe) for profile in able}
    fitting = [profile for profile in able if verdicts[profile.name].fits]
    willing = [profile for profile in fitting if not profile.manual] or fitting
    if not willing:
        nearest = min(verdicts.values(), key=lambda v: (len(v.reasons), v.profile))
        return f"{nearest.profile} {'; it '.join(nearest.reasons)}"
    profile = order.best(willing, recipe)
    text = _missed(profile, able, verdicts, recipe)
    if profile.manual:
        text += f"{profile.name} would use it, but only by name: "
        return f"{text}smolpc setup --profile {profile.name}"
    if verdicts[profile.name].cannot_build:
        cannot = verdicts[profile.name].cannot_build
        return f"{text}{profile.name} fits but cannot be built here: {cannot}"
    return f"{text}{chosen.name} was asked for by name, {profile.name} would use it"


def _missed(
    profile: Profile, able: list[Profile], verdicts: dict[str, Verdict], recipe: EngineRecipe
) -> str:
    """A better profile that fails in one thing only, such as the driver's version."""
    near = [
        better
        for better in able
        if len(verdicts[better.name].reasons) == 1 and order.preferred(better, profile, recipe)
    ]
    if not near:
        return ""
    widest = max(near, key=lambda p: sum(order.preferred(q, p, recipe) for q in near))
    return f"{widest.name} {verdicts[widest.name].reasons[0]}; "
