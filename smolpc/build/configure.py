"""Run CMake: explicit cache entries, scrubbed environment, file API queries."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from smolpc import files, proc
from smolpc.build import msvc
from smolpc.build.remedies import explain
from smolpc.console import Reporter
from smolpc.plan.toolchain import Toolchain
from smolpc.schema.base import digest_of

QUERIES = ("codemodel-v2", "cache-v2", "toolchains-v1")
CONFIGURED = ".smolpc-configured"  # the key, and the digest of how the tree was configured

# Variables that would change the bytes without being part of the key.
SCRUBBED = """
    CC CXX CFLAGS CXXFLAGS CPPFLAGS LDFLAGS ASMFLAGS CUDAFLAGS CUDACXX CUDAHOSTCXX CPATH
    C_INCLUDE_PATH CPLUS_INCLUDE_PATH LIBRARY_PATH LD_LIBRARY_PATH LD_PRELOAD DESTDIR
    CMAKE_GENERATOR CMAKE_TOOLCHAIN_FILE CMAKE_PREFIX_PATH CMAKE_BUILD_TYPE
    CMAKE_C_COMPILER_LAUNCHER CMAKE_CXX_COMPILER_LAUNCHER CMAKE_BUILD_PARALLEL_LEVEL
    MAKEFLAGS NINJAFLAGS CL _CL_ LINK _LINK_ MACOSX_DEPLOYMENT_TARGET
"""


def environment(toolchain: Toolchain, source: Path, build: Path) -> dict[str, str | None]:
    """Environment for every tool of the build, the same on every machine and in every folder."""
    own = msvc.environment(toolchain.c.path) if toolchain.family == "msvc" else {}
    return {
        **dict.fromkeys(SCRUBBED.split()),
        **own,
        "SOURCE_DATE_EPOCH": "315532800",  # 1980-01-01, the oldest date a zip file can hold
        "LC_ALL": "C",  # remedies.py reads English messages
        "ZERO_AR_DATE": "1",
        "GIT_CEILING_DIRECTORIES": os.pathsep.join(str(p.parent) for p in (source, build)),
    }


def configured_for(build: Path) -> str:
    """The key that the build tree was completely configured for, or ""."""
    mark = build / CONFIGURED
    return mark.read_text().partition(" ")[0] if mark.is_file() else ""


def _local_entries(toolchain: Toolchain, source: Path, build: Path) -> dict[str, str]:
    """Cache entries that hold paths, and so are no part of the key."""
    entries = {
        "CMAKE_MAKE_PROGRAM": toolchain.ninja.path,
        "CMAKE_C_COMPILER": toolchain.c.path,
        "CMAKE_CXX_COMPILER": toolchain.cxx.path,
    }
    if toolchain.family != "msvc":
        flags = f'"-ffile-prefix-map={source}=." "-ffile-prefix-map={build}=build"'
        entries |= {"CMAKE_C_FLAGS": flags, "CMAKE_CXX_FLAGS": flags, "CMAKE_ASM_FLAGS": flags}
    if toolchain.cuda is not None:
        entries["CMAKE_CUDA_COMPILER"] = toolchain.cuda.path
        entries["CMAKE_CUDA_HOST_COMPILER"] = toolchain.cxx.path
    if toolchain.launcher is not None:
        languages = ["C", "CXX", *(["CUDA"] if toolchain.cuda else [])]
        entries |= {
            f"CMAKE_{lang}_COMPILER_LAUNCHER": toolchain.launcher.path for lang in languages
        }
    return entries


def configure(
    source: Path,
    build: Path,
    cmake: Mapping[str, str],
    toolchain: Toolchain,
    *,
    key: str,
    log: Path,
    reporter: Reporter,
    toolchain_file: str | None = None,
) -> None:
    """Configure `source` in `build`, unless it was configured in just this way before.

    A half-finished or different build tree is removed first. Raises BuildError,
    SpaceError or PrerequisiteError with the remedy.
    """
    entries = {**cmake, **_local_entries(toolchain, source, build)}
    stamp = f"{key} {digest_of([entries, toolchain.cmake, str(source), toolchain_file])}"
    mark = build / CONFIGURED
    if mark.is_file() and mark.read_text() == stamp:
        return
    files.remove_tree(build)
    for query in QUERIES:
        path = build / ".cmake" / "api" / "v1" / "query" / query
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    argv = [toolchain.cmake.path, "-S", str(source), "-B", str(build), "-G", "Ninja"]
    if toolchain_file is not None:
        path = build / "toolchain.cmake"
        path.write_text(toolchain_file, encoding="utf-8")
        argv.append(f"-DCMAKE_TOOLCHAIN_FILE={path}")
    argv += [f"-D{name}={value}" for name, value in entries.items()]
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("a", encoding="utf-8") as stream,
        reporter.task("Configure", unit="lines") as task,
    ):
        count = 0

        def on_line(_: str) -> None:
            nonlocal count
            count += 1
            task.update(count)

        result = proc.run(
            argv,
            env=environment(toolchain, source, build),
            timeout=1800,
            on_line=on_line,
            log=stream,
        )
    if not result.ok:
        raise explain("configuring the engine", result.output, str(log))
    files.write_atomic(mark, stamp.encode())
