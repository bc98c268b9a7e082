"""Whether profiles fit a machine, and in which order they are preferred. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from smolpc.plan import install, order
from smolpc.plan.requirements import joined, missing_tools, on_platform, unmet
from smolpc.schema.base import Value
from smolpc.schema.engine import EngineRecipe
from smolpc.schema.host import Host
from smolpc.schema.profile import Profile

TOOLS = {"nvcc": "the CUDA compiler (nvcc)", "vulkan-sdk": "the Vulkan SDK", "opencl": "OpenCL"}


class Verdict(Value, kw_only=True):
    """One profile on one machine."""

    profile: str
    fits: bool  # the machine meets every requirement
    reasons: tuple[str, ...] = ()  # the requirements it does not meet
    cannot_build: str = ""  # it fits, but a build tool is missing: which, and the command
    manual: bool = False  # never chosen by itself

    @property
    def eligible(self) -> bool:
        """Whether `setup` may choose it without being told its name."""
        return self.fits and not self.cannot_build and not self.manual


def why(profile: Profile, host: Host, recipe: EngineRecipe) -> Verdict:
    """Whether the profile fits the machine, with every unmet requirement as a clause."""
    reasons = unmet(profile, host, recipe)
    tools = missing_tools(profile, host, recipe)
    return Verdict(
        profile=profile.name,
        fits=not reasons,
        reasons=reasons,
        cannot_build="" if reasons else _cannot_build(tools, host),
        manual=profile.manual,
    )


def _cannot_build(tools: Mapping[str, str], host: Host) -> str:
    if not tools:
        return ""
    missing = [TOOLS.get(tool, tool) for tool, old in tools.items() if not old]
    clauses = [f"{joined(missing)} {'is' if len(missing) == 1 else 'are'} missing"] * bool(missing)
    clauses += [f"{TOOLS.get(tool, tool)} {old}" for tool, old in tools.items() if old]
    return f"{'; '.join(clauses)}; {_how(tools, host)}"


def _how(tools: Mapping[str, str], host: Host) -> str:
    """The commands that bring the tools, or what to do where there is none."""
    hints = [
        install.newer(tool, host) if old else install.command(tool, host)
        for tool, old in tools.items()
    ]
    return " && ".join(filter(None, hints)) or "install it, then: smolpc setup"


def rank(profiles: Mapping[str, Profile], host: Host, recipe: EngineRecipe) -> tuple[Verdict, ...]:
    """All concrete profiles, best first: what may be chosen in order of preference, then
    what fits but is not chosen by itself, then the rest, nearest miss first."""
    verdicts = {
        name: why(profile, host, recipe)
        for name, profile in profiles.items()
        if not profile.abstract
    }
    left = [profiles[name] for name, verdict in verdicts.items() if verdict.eligible]
    ranked = []
    while left:
        first = order.best(left, recipe)
        left.remove(first)
        ranked.append(verdicts.pop(first.name))

    def distance(verdict: Verdict) -> tuple[bool, bool, int, str]:
        here = on_platform(profiles[verdict.profile], host)
        return (not verdict.fits, not here, len(verdict.reasons), verdict.profile)

    return (*ranked, *sorted(verdicts.values(), key=distance))
