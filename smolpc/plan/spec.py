"""From choices to the build spec, whose digest is the request key. Pure."""

from __future__ import annotations

from smolpc.plan.render import cmake_cache
from smolpc.plan.requirements import BuildTarget
from smolpc.plan.toolchain import Toolchain
from smolpc.schema.base import digest_of
from smolpc.schema.engine import EngineRecipe
from smolpc.schema.host import Host, Tool
from smolpc.schema.spec import BuildSpec, CompilerId


def _compiler(tool: Tool) -> CompilerId:
    return CompilerId(id=tool.name, version=tool.version, target=tool.target)


def _sdks(toolchain: Toolchain, host: Host) -> dict[str, str]:
    found = {"cuda": toolchain.cuda, "vulkan": toolchain.vulkan}
    if host.os.system == "darwin":
        found["xcode"] = host.tool("xcode")
    kits = {kit.name: kit.version for kit in toolchain.kits}
    parts = {f"{name} (fetched)": digest for name, digest in toolchain.parts.items()}
    own = {name: tool.version for name, tool in found.items() if tool is not None}
    return kits | parts | own


def bindings_digest(recipe: EngineRecipe) -> str:
    """Digest of the pinned bindings, "" for an engine without."""
    return digest_of(recipe.bindings) if recipe.bindings else ""


def patches(recipe: EngineRecipe) -> tuple[str, ...]:
    """Digests of the patches, in order."""
    return tuple(patch.sha256 for patch in recipe.patches)


def build_spec(
    recipe: EngineRecipe,
    target: BuildTarget,
    toolchain: Toolchain,
    host: Host,
) -> BuildSpec:
    """Everything that decides the bytes of the artifact, and nothing else."""
    compilers = {"C": _compiler(toolchain.c), "CXX": _compiler(toolchain.cxx)}
    if toolchain.cuda is not None:
        compilers["CUDA"] = _compiler(toolchain.cuda)
    libc = host.os.libc if target.system == host.os.system else None
    linker = toolchain.linker
    return BuildSpec(
        engine=recipe.name,
        version=recipe.version,
        commit=recipe.commit,
        tree_sha256=recipe.tree_sha256,
        bindings_sha256=bindings_digest(recipe),
        patches=patches(recipe),
        cmake=cmake_cache(target, recipe),
        targets=tuple(sorted(recipe.targets)),
        omit=tuple(sorted(recipe.omit)),
        license_files=tuple(sorted(recipe.license_files)),
        triple=f"{target.arch}-{target.system}-{libc.name if libc else 'default'}",
        libc_floor=libc.version if libc else "",
        compilers=compilers,
        linker=f"{linker.name} {linker.version}" if linker else "",
        cmake_version=toolchain.cmake.version,
        generator="Ninja",
        sdks=_sdks(toolchain, host),
        gpu_architectures=target.profile.build.gpu_architectures,
    )
