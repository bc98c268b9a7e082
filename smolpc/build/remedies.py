"""Known causes of failed builds: what the log says, what it means, what to do."""

from __future__ import annotations

import re

from smolpc.errors import BuildError, PrerequisiteError, SmolpcError, SpaceError

MEMORY = (
    r"fatal error: Killed signal|virtual memory exhausted|out of memory allocating"
    r"|cc1plus: .*Cannot allocate"
)
SPACE = r"No space left on device|Disk quota exceeded|There is not enough space on the disk"
CUDA_HOST = (
    r"unsupported GNU version|unsupported clang version|unsupported Microsoft Visual Studio version"
)
CUDA_ARCHITECTURE = r"Unsupported gpu architecture"
CUBLAS = r"CUDA::cublas\w*\s+but the target was not found"
SPIRV = r'package configuration file provided by "SPIRV-Headers"'
OLD_VULKAN = r"is not a member of .?vk\b|no (type|member) named '\w+' in namespace 'vk'"
NO_COMPILER = (
    r"No CMAKE_C(XX)?_COMPILER could be found|is not able to compile a simple test program"
)

# pattern -> error class, what, why, next step
CAUSES: tuple[tuple[str, type[SmolpcError], str, str, str], ...] = (
    (
        SPACE,
        SpaceError,
        "the disk filled up during the build",
        "the build tree needs about 0.5 GB",
        "free some space, then run 'smolpc setup' again: it continues",
    ),
    (
        MEMORY,
        BuildError,
        "the compiler ran out of memory",
        "several compilers ran at the same time",
        "SMOLPC_JOBS=1 smolpc setup",
    ),
    (
        CUDA_HOST,
        BuildError,
        "this CUDA version does not accept this C++ compiler",
        "nvcc works with older host compilers only",
        "install an older g++ (for example: sudo apt-get install g++-12), put it first on PATH,"
        " then: smolpc setup",
    ),
    (
        CUDA_ARCHITECTURE,
        PrerequisiteError,
        "this CUDA version cannot compile for the profile's GPUs",
        "CUDA 13 left out everything before Turing (compute capability 7.5), and cards need a CUDA"
        " version that knows them",
        "set CUDA_PATH to a toolkit that fits (12.8 for RTX 50xx, 12.x for older than Turing),"
        " then: smolpc setup",
    ),
    (
        CUBLAS,
        PrerequisiteError,
        "the CUDA toolkit has no cuBLAS",
        "the CUDA backend is linked with it",
        "install the whole toolkit (Debian: sudo apt-get install nvidia-cuda-toolkit; NVIDIA's own"
        " packages: libcublas-dev beside cuda-nvcc), then: smolpc setup",
    ),
    (
        SPIRV,
        PrerequisiteError,
        "the SPIR-V headers are missing",
        "the Vulkan backend needs their CMake package",
        "sudo apt-get install spirv-headers (Fedora: spirv-headers-devel), or set VULKAN_SDK to"
        " an unpacked Vulkan SDK, then: smolpc setup",
    ),
    (
        OLD_VULKAN,
        PrerequisiteError,
        "the Vulkan headers are too old",
        "this engine uses types that they do not have",
        "unpack a newer Vulkan SDK (vulkan.lunarg.com) and set VULKAN_SDK to its folder that"
        " holds bin/glslc, then: smolpc setup",
    ),
    (
        NO_COMPILER,
        PrerequisiteError,
        "the C++ compiler does not work",
        "CMake could not compile a one-line program with it",
        "smolpc doctor",
    ),
)


def explain(step: str, output: str, log: str) -> SmolpcError:
    """The error for a failed build step: a known cause with its remedy, else the last
    lines of the log."""
    for pattern, kind, what, why, next_step in CAUSES:
        if re.search(pattern, output):
            return kind(what, why=f"{why}; full log: {log}", next_step=next_step)
    tail = "\n".join("    " + line for line in _interesting(output))
    return BuildError(
        f"{step} failed",
        why=f"the last lines were:\n{tail}\n  full log: {log}",
        next_step="read the log; then 'smolpc doctor', or another profile of"
        " 'smolpc profiles.list': smolpc setup --profile NAME",
    )


def _interesting(output: str, count: int = 15) -> list[str]:
    """The lines around the first failure, or the last lines."""
    lines = output.splitlines()
    for index, line in enumerate(lines):
        if line.startswith("FAILED:") or "CMake Error" in line:
            return lines[index : index + count]
    return lines[-count:]
