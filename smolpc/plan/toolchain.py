"""Which compiler, CMake and Ninja a build uses: chosen from the detected tools, purely."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from smolpc.errors import PrerequisiteError
from smolpc.plan import install
from smolpc.plan.fetchable import shortcoming
from smolpc.plan.requirements import BuildTarget
from smolpc.schema.base import Value
from smolpc.schema.engine import ToolRecipe
from smolpc.schema.host import Host, Tool

# C and C++ compiler of each family, in the order in which a platform tries them.
FAMILIES: dict[str, tuple[str, str]] = {
    "gcc": ("gcc", "g++"),
    "clang": ("clang", "clang++"),
    "msvc": ("cl", "cl"),
    "mingw": ("x86_64-w64-mingw32-gcc-posix", "x86_64-w64-mingw32-g++-posix"),
}
DEFAULT_FAMILIES = {
    "linux": ("gcc", "clang"),
    "darwin": ("clang",),
    "windows": ("msvc", "clang", "gcc"),
}


class Toolchain(Value, kw_only=True):
    """The tools of one build. A tool with an empty path is fetched before the build."""

    family: str
    c: Tool
    cxx: Tool
    cmake: Tool
    ninja: Tool
    linker: Tool | None = None
    cuda: Tool | None = None
    vulkan: Tool | None = None
    kits: tuple[Tool, ...] = ()  # libraries to build with
    parts: Mapping[str, str] = {}  # fetched, and gone into the engine: name -> digest of that
    places: Mapping[str, str] = {}  # CMake cache entries: where things of fetched tools are
    launcher: Tool | None = None  # compiler cache; never part of the key

    @property
    def fetched(self) -> tuple[Tool, ...]:
        tools = (self.cmake, self.ninja, self.cuda, *self.kits)
        return tuple(tool for tool in tools if tool is not None and not tool.path)

    def found(self, tool: Tool, places: Mapping[str, str]) -> Toolchain:
        """With a fetched tool or kit at its path."""

        def here(known: Tool | None) -> Tool | None:
            return tool if known is not None and known.name == tool.name else known

        return msgspec.structs.replace(
            self,
            cmake=here(self.cmake),
            ninja=here(self.ninja),
            cuda=here(self.cuda),
            kits=tuple(here(kit) for kit in self.kits),
            places={**self.places, **places},
        )


def _build_tool(name: str, host: Host, recipes: Mapping[str, ToolRecipe]) -> Tool:
    """The host's own tool when it is new enough, else the pinned one, to be fetched."""
    recipe = recipes[name]
    own = host.tool(name)
    if own is not None and not shortcoming(host, recipe):
        return own
    if not recipe.wheels_for(host):
        raise PrerequisiteError(
            f"{name} {recipe.at_least} or newer was not found",
            why=f"the machine has {own.version if own else 'none'}, and there is no ready-made"
            f" {name} for {host.os.system} {host.cpu.arch}",
            next_step=f"install {name}, then: smolpc setup",
        )
    return Tool(name=name, path="", version=recipe.version)


def choose(host: Host, target: BuildTarget, tools: Mapping[str, ToolRecipe]) -> Toolchain:
    """The toolchain for a build target on a host, which may be one `with_fetchable` tools.
    Raises PrerequisiteError with the install command when there is no compiler."""
    profile = target.profile
    wanted = profile.build.compiler
    families = (wanted,) if wanted else DEFAULT_FAMILIES[host.os.system]
    for family in families:
        c, cxx = (host.tool(name) for name in FAMILIES[family])
        if c is not None and cxx is not None:
            break
    else:
        raise PrerequisiteError(
            "no C++ compiler was found",
            why=f"profile {profile.name} needs {' or '.join(families)} to build the engine",
            next_step=f"{install.command('compiler', host) or 'install g++'} && smolpc setup",
        )
    cuda = host.tool("nvcc") if "cuda" in target.features else None
    kits = tuple(_build_tool(name, host, tools) for name in target.kits)
    fetched = [tools[tool.name] for tool in (cuda, *kits) if tool is not None and not tool.path]
    return Toolchain(
        family=family,
        c=c,
        cxx=cxx,
        cmake=_build_tool("cmake", host, tools),
        ninja=_build_tool("ninja", host, tools),
        linker=host.tool("ld"),
        cuda=cuda,
        vulkan=host.tool("vulkan-sdk") if "vulkan" in target.features else None,
        kits=kits,
        parts={recipe.name: recipe.digest_for(host) for recipe in fetched},
        launcher=host.tool("ccache") or host.tool("sccache"),
    )
