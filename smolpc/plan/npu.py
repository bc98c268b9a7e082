"""What the engine can do with each neural processing unit, in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from smolpc.plan.requirements import on_platform
from smolpc.plan.verdict import why
from smolpc.schema.engine import EngineRecipe, NpuSupport
from smolpc.schema.host import Host, Npu
from smolpc.schema.profile import Profile


def sentence(
    npu: Npu, profiles: Mapping[str, Profile], host: Host, recipe: EngineRecipe
) -> tuple[str, str]:
    """How `npu` can be used, or why not; and the command that does it ("": there is none)."""
    engine = f"{recipe.name} {recipe.version}"
    support = recipe.npus.get(npu.vendor, NpuSupport(because="it has no backend for it"))
    if not support.feature:
        return f"not supported by {engine}: {support.because}", ""
    users = [
        profile
        for profile in profiles.values()
        if support.feature in profile.build.backends
        and not profile.abstract
        and on_platform(profile, host)
    ]
    if not users:
        return f"{engine} supports it, but no profile does on this system", ""
    verdicts = {profile.name: why(profile, host, recipe) for profile in users}
    profile = next((profile for profile in users if verdicts[profile.name].fits), users[0])
    verdict = verdicts[profile.name]
    if not verdict.fits:
        return f"not used: {profile.name} {'; it '.join(verdict.reasons)}", ""
    if verdict.cannot_build:
        return f"not used: {profile.name} cannot be built here: {verdict.cannot_build}", ""
    text = f"{profile.name} uses it" + (f" ({support.because})" if support.because else "")
    return text, f"smolpc setup --profile {profile.name}"
