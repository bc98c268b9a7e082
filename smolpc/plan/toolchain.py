"""Which compiler, CMake and Ninja a build uses: chosen from the detected tools, purely."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from smolpc.errors import PrerequisiteError
from smolpc.plan import install
from smolpc.plan.requirements import BuildTarget, version
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
    kits: tuple[Tool, ...] = ()  # libraries to build with; `path`: the CMake file of the package
    launcher: Tool | None = None  # compiler cache; never part of the key

    @property
    def fetched(self) -> tuple[Tool, ...]:
        return tuple(tool for tool in (self.cmake, self.ninja, *self.kits) if not tool.path)

    def found(self, tool: Tool) -> Toolchain:
        """With a fetched tool or kit at its path."""
        if tool.name in ("cmake", "ninja"):
            return msgspec.structs.replace(self, **{tool.name: tool})
        kits = tuple(tool if kit.name == tool.name else kit for kit in self.kits)
        return msgspec.structs.replace(self, kits=kits)


def _build_tool(name: str, host: Host, recipes: Mapping[str, ToolRecipe]) -> Tool:
    """The host's own tool when it is new enough, else the pinned one, to be fetched."""
    recipe = recipes[name]
    own = host.tool(name)
    if own is not None and version(own.version) >= version(recipe.at_least):
        return own
    if recipe.wheel_for(host) is None:
        raise PrerequisiteError(
            f"{name} {recipe.at_least} or newer was not found",
            why=f"the machine has {own.version if own else 'none'}, and there is no ready-made"
            f" {name} for {host.os.system} {host.cpu.arch}",
            next_step=f"install {name}, then: smolpc setup",
        )
    return Tool(name=name, path="", version=recipe.version)


def choose(host: Host, target: BuildTarget, tools: Mapping[str, ToolRecipe]) -> Toolchain:
    """The toolchain for a build target on a host. Raises PrerequisiteError with the install
    command when there is no compiler."""
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
    return Toolchain(
        family=family,
        c=c,
        cxx=cxx,
        cmake=_build_tool("cmake", host, tools),
        ninja=_build_tool("ninja", host, tools),
        linker=host.tool("ld"),
        cuda=host.tool("nvcc") if "cuda" in target.features else None,
        vulkan=host.tool("vulkan-sdk") if "vulkan" in target.features else None,
        kits=tuple(_build_tool(name, host, tools) for name in target.kits),
        launcher=host.tool("ccache") or host.tool("sccache"),
    )
