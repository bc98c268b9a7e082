"""What a profile asks of a machine, and which of it the machine does not meet. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from smolpc.console import human_bytes
from smolpc.schema.base import Value
from smolpc.schema.engine import EngineRecipe
from smolpc.schema.host import Arch, Cpu, Gpu, Host, System
from smolpc.schema.profile import GpuMatch, Profile

SYSTEMS = {"linux": "Linux", "windows": "Windows", "darwin": "macOS"}
ARCHES = {"x86_64": "x86-64", "aarch64": "64-bit Arm"}
CPU_VENDORS = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD"}
GPU_VENDORS = {"nvidia": "NVIDIA", "amd": "AMD", "intel": "Intel", "apple": "Apple"}


class BuildTarget(Value, kw_only=True):
    """A profile made concrete: for which system, with which features of the recipe."""

    profile: Profile
    system: System
    arch: Arch
    features: tuple[str, ...]  # in the recipe's order
    kits: tuple[str, ...] = ()  # libraries that are fetched for the build


def version(text: str) -> tuple[int, ...]:
    """The numbers of a version text, for comparing: "12.8" gives (12, 8)."""
    return tuple(int(number) for number in re.findall(r"\d+", text))


def short_name(cpu: Cpu) -> str:
    """A processor's name for a sentence: "Core i3-4005U"."""
    name = re.sub(r"\((?:R|TM)\)|\bCPU\b|\bProcessor\b|@.*|\d+-Core\b", " ", cpu.brand)
    name = " ".join(name.split()).removeprefix("Intel ")
    return name or cpu.microarchitecture or f"{cpu.arch} processor"


def joined(words: list[str], last: str = "and") -> str:
    """Words for a sentence: "a, b and c"."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def label(feature: str, recipe: EngineRecipe) -> str:
    """A feature's name for people: "AVX-512 VNNI"."""
    return recipe.features[feature].note or feature


def is_cross(profile: Profile) -> bool:
    """Whether the profile builds for another kind of machine than the one it runs on."""
    return profile.build.system is not None or profile.build.arch is not None


def uses_gpu(profile: Profile) -> bool:
    """Whether the profile builds more than the CPU backend."""
    return set(profile.build.backends) != {"cpu"}


def cpu_needs(profile: Profile, recipe: EngineRecipe) -> frozenset[str]:
    """Host CPU features without which the profile's build would not run on the host. A
    build for another machine asks nothing of the instruction set of this one."""
    needs = set(profile.match.cpu.features)
    if not is_cross(profile):
        named = (name for name in profile.build.cpu if name != "native")
        needs.update(*(recipe.features[name].cpu for name in named))
    return frozenset(needs)


def build_target(profile: Profile, host: Host, recipe: EngineRecipe) -> BuildTarget:
    """The profile for this host; for a host it does not fit, as its own system wants it."""
    build, match = profile.build, profile.match
    fits_system = not match.os or host.os.system in match.os
    fits_arch = not match.arch or host.cpu.arch in match.arch
    system = build.system or (host.os.system if fits_system else match.os[0])
    arch = build.arch or (host.cpu.arch if fits_arch else match.arch[0])
    named = {*build.backends, *build.cpu, *build.options}
    if "native" in named:
        named |= _native(host, recipe)
    named |= _of_fetched_tools(named, host, recipe)
    features = tuple(name for name in recipe.features if name in named)
    kits = dict.fromkeys(kit for name in features for kit in recipe.features[name].kits)
    return BuildTarget(
        profile=profile, system=system, arch=arch, features=features, kits=tuple(kits)
    )


def _of_fetched_tools(named: set[str], host: Host, recipe: EngineRecipe) -> set[str]:
    """What the named features need as well where a tool of theirs is to be fetched."""
    features = [feature for name, feature in recipe.features.items() if name in named]
    tools = {tool.name for tool in host.tools if not tool.path}
    return {more for one in features if tools & {*one.tools} for more in one.when_fetched}


def _native(host: Host, recipe: EngineRecipe) -> set[str]:
    """Every instruction-set feature that the host has and `native` may take; the highest of
    each group."""
    has = set(host.cpu.features)
    able = {
        name: feature
        for name, feature in recipe.features.items()
        if feature.native and host.cpu.arch in feature.arch and has.issuperset(feature.cpu)
    }
    best = {
        feature.group or name: name
        for name, feature in sorted(able.items(), key=lambda pair: pair[1].rank)
    }
    return set(best.values())


def missing_tools(profile: Profile, host: Host, recipe: EngineRecipe) -> dict[str, str]:
    """Build tools that the profile's features need and the host lacks: name -> why not.

    The reason is empty for a tool that is not there, else it says which version is too old.
    """
    missing = {}
    for name in (*profile.build.backends, *profile.build.options):
        feature = recipe.features[name]
        for tool in feature.tools:
            found, floor = host.tool(tool), feature.at_least.get(tool, "0")
            if found is None:
                missing[tool] = ""
            elif version(found.version) < version(floor):
                missing[tool] = f"{found.version} is too old, {floor} or newer is needed"
    return missing


def unmet(profile: Profile, host: Host, recipe: EngineRecipe) -> tuple[str, ...]:
    """Every requirement that the host does not meet, each as a clause with its numbers."""
    clauses = (_platform(profile, host), _cpu(profile, host, recipe), _gpu(profile, host))
    return tuple(clause for part in (*clauses, _rest(profile, host)) for clause in part)


def on_platform(profile: Profile, host: Host) -> bool:
    """Whether system and processor family are the profile's."""
    return not list(_platform(profile, host))


def _platform(profile: Profile, host: Host) -> Iterator[str]:
    match = profile.match
    if match.os and host.os.system not in match.os:
        wanted = joined([SYSTEMS[name] for name in match.os], "or")
        yield f"needs {wanted}, and this machine runs {SYSTEMS[host.os.system]}"
    if match.arch and host.cpu.arch not in match.arch:
        wanted = joined([ARCHES[name] for name in match.arch], "or")
        found = f"{short_name(host.cpu)} is {ARCHES[host.cpu.arch]}"
        yield f"needs a processor of the {wanted} family, and this {found}"


def _cpu(profile: Profile, host: Host, recipe: EngineRecipe) -> Iterator[str]:
    """Nothing is said about instruction sets of another processor family."""
    match, cpu = profile.match, host.cpu
    if match.arch and cpu.arch not in match.arch:
        return
    lacking = cpu_needs(profile, recipe) - set(cpu.features)
    if lacking:
        named = (name for name in profile.build.cpu if name != "native")
        names = [label(name, recipe) for name in named if lacking & set(recipe.features[name].cpu)]
        names += sorted(lacking & set(match.cpu.features))
        yield f"needs {joined(names)}, which this {short_name(cpu)} does not have"
    wanted = match.cpu.microarchitecture
    if wanted and wanted not in (cpu.microarchitecture, *cpu.ancestors):
        yield f"needs the microarchitecture {wanted} or a later one, and this is {short_name(cpu)}"
    if match.cpu.vendor and match.cpu.vendor != cpu.vendor:
        vendor = CPU_VENDORS.get(match.cpu.vendor, match.cpu.vendor)
        yield f"is for {vendor} processors, and this is {short_name(cpu)}"


def _gpu(profile: Profile, host: Host) -> Iterator[str]:
    """The clauses of the GPU that comes nearest; one clause when there is none at all."""
    match = profile.match.gpu
    if match is None:
        return
    candidates = [gpu for gpu in host.gpus if not match.vendor or gpu.vendor in match.vendor]
    if not candidates:
        yield f"needs {_wanted_gpu(match)}; none was found"
        return
    vulkan = "vulkan" in profile.build.backends
    yield from min((list(_gpu_misses(match, gpu, vulkan)) for gpu in candidates), key=len)


def _wanted_gpu(match: GpuMatch) -> str:
    vendors = [GPU_VENDORS.get(vendor, vendor) for vendor in match.vendor]
    kind = {None: "GPU", False: "graphics card", True: "integrated GPU"}[match.integrated]
    text = f"an {joined(vendors, 'or')} {kind}" if vendors else f"a {kind}"
    low, high = match.min_compute_capability, match.max_compute_capability
    if low:
        text += f" with compute capability {_range(low, high)}"
    return text


def _range(low: str, high: str | None) -> str:
    if high is None:
        return f"{low} or newer"
    return low if low == high else f"{low} to {high}"


def _gpu_misses(match: GpuMatch, gpu: Gpu, vulkan: bool) -> Iterator[str]:
    low, high = match.min_compute_capability, match.max_compute_capability
    has = version(gpu.compute_capability)
    if (low and has < version(low)) or (high and has > version(high)):
        found = gpu.compute_capability or "an unknown one"
        yield f"needs compute capability {_range(low or '0', high)}, and {gpu.name} has {found}"
    if match.min_driver and version(gpu.driver) < version(match.min_driver):
        found = gpu.driver or "an unknown one"
        yield f"needs driver {match.min_driver} or newer, and {gpu.name} has {found}"
    if match.min_memory and (gpu.memory or 0) < match.min_memory:
        found = human_bytes(gpu.memory) if gpu.memory else "an unknown amount"
        yield f"needs {human_bytes(match.min_memory)} of GPU memory, and {gpu.name} has {found}"
    if match.integrated is not None and match.integrated != gpu.integrated:
        which = "is built into the processor" if gpu.integrated else "is a card of its own"
        yield f"needs {_wanted_gpu(match)}, and {gpu.name} {which}"
    if vulkan and gpu.vulkan is False:
        yield f"needs a Vulkan driver, and {gpu.name} has none"


def _rest(profile: Profile, host: Host) -> Iterator[str]:
    match, libc = profile.match, host.os.libc
    if match.npu and not any(match.npu.lower() in npu.name.lower() for npu in host.npus):
        yield f"needs the NPU {match.npu}; it was not found"
    if match.libc:
        floor = match.libc.min_version or ""
        found = f"{libc.name} {libc.version}" if libc else "an unknown one"
        same = libc is not None and libc.name == match.libc.name
        if not same or (libc is not None and version(libc.version) < version(floor)):
            yield f"needs the C library {match.libc.name} {floor}, and this system has {found}"
    if match.min_memory and host.memory.total < match.min_memory:
        wanted, has = human_bytes(match.min_memory), human_bytes(host.memory.total)
        yield f"needs {wanted} of memory, and this machine has {has}"
