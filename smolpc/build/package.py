"""Turn a finished build tree into an artifact folder: self-contained and relocatable.

lib/        shared libraries        (in bin/ where the platform or the loader needs it)
bin/        programs
python/     the matching bindings
licenses/   of everything inside
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from smolpc import files, proc
from smolpc.build.configure import environment
from smolpc.build.file_api import Reply
from smolpc.build.remedies import explain
from smolpc.build.source import LICENSE, Tree
from smolpc.errors import BuildError
from smolpc.plan.requirements import BuildTarget, version
from smolpc.plan.toolchain import Toolchain
from smolpc.schema.artifact import Artifact, Requirements
from smolpc.schema.engine import EngineRecipe, ToolRecipe
from smolpc.schema.spec import BuildSpec
from smolpc.store import artifacts

# Cache entries that are paths of the building machine, and so stay out of the manifest.
PATH_ENTRIES = ("_COMPILER", "_DIR", "_FLAGS", "_LAUNCHER", "_PROGRAM", "_EXECUTABLE", "_PREFIX")


def lib_dir(spec: BuildSpec) -> str:
    """Where libraries lie: beside the programs on Windows (the loader looks there) and
    with dynamic backends (ggml looks beside the running program)."""
    windows = "-windows-" in spec.triple
    return "bin" if windows or spec.cmake.get("GGML_BACKEND_DL") == "ON" else "lib"


def assemble(target: Path, tree: Tree, build: Path, spec: BuildSpec, recipe: EngineRecipe) -> None:
    """Copy products, bindings and licences into the empty folder `target`."""
    products = Reply(build).products(recipe.targets, recipe.omit)
    if not products:
        raise BuildError(
            "the build made no library and no program",
            why=f"targets {', '.join(recipe.targets)} have no product in {build}",
            next_step="check 'targets' in the engine recipe",
        )
    for path, kind in sorted(products.items()):
        folder = "bin" if kind == "EXECUTABLE" else lib_dir(spec)
        files.copy_file(path, target / folder / path.name)
    if recipe.bindings is not None:
        for name in recipe.bindings.files:
            files.copy_file(
                tree.bindings / name, target / "python" / recipe.bindings.package / name
            )
        if recipe.bindings.license_file:
            licence = target / "licenses" / recipe.bindings.project / LICENSE
            files.copy_file(tree.bindings / LICENSE, licence)
    for name in recipe.license_files:
        files.copy_file(tree.engine / name, target / "licenses" / recipe.name / name)


def add_parts(target: Path, spec: BuildSpec, tool: ToolRecipe, fetched: Path) -> None:
    """Copy what an engine needs of a fetched tool beside its libraries, and the licences."""
    for name in tool.runtime:
        files.copy_file(fetched / name, target / lib_dir(spec) / Path(name).name)
    for name in tool.licenses:
        files.copy_file(fetched / name, target / "licenses" / tool.name / Path(name).name)


def prove_abi(tree: Tree, build: Path, source: str, toolchain: Toolchain, log: Path) -> None:
    """Let the compiler check that struct sizes and offsets of the bindings are those of
    the headers. `source` is C code of static assertions. Raises BuildError."""
    path = build / "smolpc_abi.c"
    path.write_text(source, encoding="utf-8")
    includes = [tree.engine / "include", tree.engine / "ggml" / "include"]
    if toolchain.family == "msvc":
        flags = ["/nologo", "/std:c11", "/Zs", *(f"/I{folder}" for folder in includes)]
    else:
        flags = ["-std=c11", "-fsyntax-only", *(f"-I{folder}" for folder in includes)]
    with log.open("a", encoding="utf-8") as stream:
        result = proc.run(
            [toolchain.c.path, *flags, str(path)],
            env=environment(toolchain, tree.engine, build),
            timeout=120,
            log=stream,
        )
    if not result.ok:
        raise explain(
            "comparing the Python bindings with the engine's headers", result.output, str(log)
        )


def requirements(
    spec: BuildSpec, target: BuildTarget, recipe: EngineRecipe, drivers: Iterable[str] = ()
) -> Requirements:
    """What a host must offer to run the artifact. `drivers`: the floors of what was fetched."""
    libc = spec.triple.rpartition("-")[2]
    every = "all-variants" in target.features  # the loader picks a library that runs
    cpu = {flag for name in target.features for flag in recipe.features[name].cpu if not every}
    gpu = target.profile.match.gpu
    return Requirements(
        system=target.system,
        arch=target.arch,
        cpu_features=tuple(sorted(cpu)),
        libc=libc,
        libc_floor=spec.libc_floor,
        backends=target.profile.build.backends,
        driver=max(((gpu and gpu.min_driver) or "", *drivers), key=version),
    )


def manifest(
    root: Path,
    build: Path,
    spec: BuildSpec,
    target: BuildTarget,
    recipe: EngineRecipe,
    abi: Mapping[str, int],
    drivers: Iterable[str] = (),
) -> Artifact:
    """The manifest of the assembled folder, before the trust test."""
    reply = Reply(build)
    found = artifacts.entries(root)
    cache = {
        name: value
        for name, value in reply.cache().items()
        if not name.endswith(PATH_ENTRIES)
        and str(build) not in value
        and not Path(value).is_absolute()
    }
    return Artifact(
        key=spec.key,
        spec=spec,
        profile=target.profile.name,
        content_digest=artifacts.content_digest(found),
        files=found,
        lib_dir=lib_dir(spec),
        requirements=requirements(spec, target, recipe, drivers),
        cmake_cache=cache,
        compilers=reply.compilers(),
        abi=dict(abi),
    )
