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
from smolpc.schema.host import Tool

QUERIES = ("codemodel-v2", "cache-v2", "toolchains-v1")
CONFIGURED = ".smolpc-configured"  # the key, and the digest of how the tree was configured

# The only variables that tools of a build see: no other one can change the bytes.
KEPT = {
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TMP", "TEMP", "XDG_CACHE_HOME"),
    *("SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "WINDIR", "USERPROFILE", "APPDATA"),
    *("LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)", "PROGRAMW6432"),
    *("NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE", "DEVELOPER_DIR"),
    *("CCACHE_DIR", "CCACHE_MAXSIZE", "SCCACHE_DIR", "SCCACHE_CACHE_SIZE"),
}


def environment(toolchain: Toolchain, source: Path, build: Path) -> dict[str, str | None]:
    """Environment for every tool of the build, the same on every machine and in every folder."""
    own = msvc.environment(toolchain.c.path) if toolchain.family == "msvc" else {}
    if toolchain.vulkan is not None:  # where CMake looks first for the headers and the loader
        own["VULKAN_SDK"] = Path(toolchain.vulkan.path).parent.parent.as_posix()
    return {
        **{name: None for name in os.environ if name.upper() not in KEPT},
        **own,
        "SOURCE_DATE_EPOCH": "315532800",  # 1980-01-01, the oldest date a zip file can hold
        "LC_ALL": "C",  # remedies.py reads English messages
        "ZERO_AR_DATE": "1",
        "GIT_CEILING_DIRECTORIES": os.pathsep.join(str(p.parent) for p in (source, build)),
    }


def guard_of(build: Path) -> Path:
    """The lock of the build tree: one tool at a time works in it, see `proc.run`."""
    return build.with_name(f".{build.name}.lock")


def configured_for(build: Path) -> str:
    """The key that the build tree was completely configured for, or ""."""
    mark = build / CONFIGURED
    return mark.read_text().partition(" ")[0] if mark.is_file() else ""


def _path(tool: Tool) -> str:
    """With forward slashes: CMake reads a backslash as an escape."""
    return Path(tool.path).as_posix()


def local_entries(toolchain: Toolchain, source: Path, build: Path) -> dict[str, str]:
    """Cache entries that hold paths, and so are no part of the key."""
    entries = {
        "CMAKE_MAKE_PROGRAM": _path(toolchain.ninja),
        "CMAKE_C_COMPILER": _path(toolchain.c),
        "CMAKE_CXX_COMPILER": _path(toolchain.cxx),
    }
    if toolchain.family != "msvc":
        here, there = source.as_posix(), build.as_posix()
        maps = (f"-ffile-prefix-map={here}=.", f"-ffile-prefix-map={there}=build")
        flags = " ".join(f'"{flag}"' for flag in maps)
        entries |= {"CMAKE_C_FLAGS": flags, "CMAKE_CXX_FLAGS": flags, "CMAKE_ASM_FLAGS": flags}
        if toolchain.cuda is not None:
            # nvcc hands a flag on through a shell: quotes inside quotes. Without -objtemp the
            # number of its process gets into every object.
            host = " ".join(rf'"-Xcompiler=\"{flag}\""' for flag in maps)
            entries["CMAKE_CUDA_FLAGS"] = f"-objtemp {host}"
    if toolchain.cuda is not None:
        entries["CMAKE_CUDA_COMPILER"] = _path(toolchain.cuda)
        entries["CMAKE_CUDA_HOST_COMPILER"] = _path(toolchain.cxx)
        home = Path(toolchain.cuda.path).parent.parent  # else CMake takes what is on PATH
        if (home / "include" / "cuda_runtime.h").is_file():
            entries["CUDAToolkit_ROOT"] = home.as_posix()
    entries |= toolchain.places
    if toolchain.launcher is not None:
        languages = ["C", "CXX", *(["CUDA"] if toolchain.cuda else [])]
        entries |= {
            f"CMAKE_{lang}_COMPILER_LAUNCHER": _path(toolchain.launcher) for lang in languages
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
) -> None:
    """Configure `source` in `build`, unless it was configured in just this way before.

    A half-finished or different build tree is removed first. Raises BuildError,
    SpaceError or PrerequisiteError with the remedy.
    """
    entries = {**cmake, **local_entries(toolchain, source, build)}
    stamp = f"{key} {digest_of([entries, toolchain.cmake, str(source)])}"
    mark = build / CONFIGURED
    if mark.is_file() and mark.read_text() == stamp:
        return
    with files.lock(guard_of(build)):  # a tool of a killed setup may still be ending
        files.remove_tree(build)
    for query in QUERIES:
        path = build / ".cmake" / "api" / "v1" / "query" / query
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    argv = [toolchain.cmake.path, "-S", str(source), "-B", str(build), "-G", "Ninja"]
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
            guard=guard_of(build),
        )
        if not result.ok:
            raise explain("configuring the engine", result.output, str(log))
    files.write_atomic(mark, stamp.encode())
