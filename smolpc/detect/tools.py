"""Programs and kits that a build may use, each asked once for its version, all at once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from smolpc.detect.machine import Machine, json_in, version_in
from smolpc.schema.host import Tool

# Until Apple's command line tools are installed, these are stand-ins that open a dialog.
APPLE_STUBS = {f"/usr/bin/{name}" for name in ("git", "make", "gcc", "g++", "clang", "clang++")}
VSWHERE = r"Microsoft Visual Studio\Installer\vswhere.exe"
VSWHERE_ARGS = (
    *("-latest", "-products", "*", "-format", "json", "-utf8"),
    *("-requires", "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"),
)
CUDA_FOLDER = "/usr/local/cuda"
CUBLAS_HEADER = "cublas_v2.h"
PC_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu/pkgconfig",
    "/usr/lib/aarch64-linux-gnu/pkgconfig",
    "/usr/lib64/pkgconfig",
    "/usr/lib/pkgconfig",
    "/usr/share/pkgconfig",
    "/usr/local/lib/pkgconfig",
)
# Places whose change means that another tool may be found, beside the folders of PATH.
WATCHED = (
    CUDA_FOLDER,
    f"{CUDA_FOLDER}/include",
    *PC_FOLDERS,
    r"C:\ProgramData\Microsoft\VisualStudio\Packages\_Instances",
    "/Library/Developer/CommandLineTools",
    "/var/db/xcode_select_link",
)
WATCHED_VARIABLES = ("CUDA_PATH", "VULKAN_SDK")


def ask(machine: Machine) -> tuple[Tool, ...]:
    """The tools that are there and answer, in a fixed order."""
    from concurrent.futures import ThreadPoolExecutor

    no_xcode = machine.system == "darwin" and xcode(machine) is None
    skipped = APPLE_STUBS if no_xcode else set()
    with ThreadPoolExecutor(max_workers=8) as pool:
        asked = [
            pool.submit(ask_program, machine, name, how, skipped) for name, how in PROGRAMS.items()
        ]
        asked += [pool.submit(kit, machine) for kit in KITS]
        answers = [one.result() for one in asked]
    return tuple(tool for tool in answers if tool is not None)


def ask_program(
    machine: Machine,
    name: str,
    how: Callable[[Machine, str], tuple[str, str] | None],
    skipped: set[str],
) -> Tool | None:
    """One program of PATH. One that does not tell its version does not work: left out."""
    path = machine.which(name)
    if path is None or path in skipped:
        return None
    answer = how(machine, path)
    return Tool(name=name, path=path, version=answer[0], target=answer[1]) if answer else None


def by_flag(*flags: str, after: str = "") -> Callable[[Machine, str], tuple[str, str] | None]:
    """Asks with `flags` and takes the first version number behind `after`."""

    def ask_it(machine: Machine, path: str) -> tuple[str, str] | None:
        version = version_in(machine.run(path, *flags), after)
        return (version, "") if version else None

    return ask_it


def by_cmake(machine: Machine, path: str) -> tuple[str, str] | None:
    return parse_cmake(machine.run(path, "-E", "capabilities"))


def parse_cmake(text: str | None) -> tuple[str, str] | None:
    """CMake's capabilities, a JSON object."""
    told = json_in(text)
    version = told.get("version") if isinstance(told, dict) else None
    number = version_in(str(version.get("string"))) if isinstance(version, dict) else ""
    return (number, "") if number else None


def by_gcc(machine: Machine, path: str) -> tuple[str, str] | None:
    # On a Mac, `gcc` is clang under another name; it does not know this flag and fails.
    version = version_in(machine.run(path, "-dumpfullversion"))
    target = (machine.run(path, "-dumpmachine") or "").strip()
    return (version, target) if version else None


def by_clang(machine: Machine, path: str) -> tuple[str, str] | None:
    return parse_clang(machine.run(path, "--version"))


def parse_clang(text: str | None) -> tuple[str, str] | None:
    """clang's version lines: clang prints either version or target for the -dump flags."""
    version = version_in(text, r"clang version ")
    target = re.search(r"^Target: (\S+)", text or "", re.MULTILINE)
    return (version, target.group(1) if target else "") if version else None


def nvcc(machine: Machine) -> Tool | None:
    """CUDA's compiler: on PATH, or where its installers put it."""
    folder = machine.env("CUDA_PATH")
    places = ["nvcc", f"{CUDA_FOLDER}/bin/nvcc"]
    if folder:
        places.insert(1, rf"{folder}\bin\nvcc.exe" if "\\" in folder else f"{folder}/bin/nvcc")
    path = next((found for place in places if (found := machine.which(place))), None)
    version = version_in(machine.run(path, "--version"), r"\bV") if path else ""
    return Tool(name="nvcc", path=path, version=version) if path and version else None


def cublas(machine: Machine) -> Tool | None:
    """The headers of CUDA's cuBLAS: some packages of nvcc come without it. Who names a toolkit
    with CUDA_PATH is believed."""
    named = machine.env("CUDA_PATH")
    if named:
        return Tool(name="cublas", path=named)
    program = machine.which("nvcc") or ""
    homes = [home for home in (program.rpartition("/bin/")[0], CUDA_FOLDER) if home]
    inside = ("include", "include/cuda", "targets/x86_64-linux/include")
    folders = (f"{home}/{folder}" for home in homes for folder in inside)
    for folder in folders:
        if CUBLAS_HEADER in (machine.listdir(folder) or ()):
            return Tool(name="cublas", path=folder)
    return None


def msvc(machine: Machine) -> Tool | None:
    """Microsoft's compiler, which is on nobody's PATH: vswhere knows where it is."""
    root = machine.env("ProgramFiles(x86)")
    if machine.system != "win32" or not root:
        return None
    home = parse_vswhere(machine.run(rf"{root}\{VSWHERE}", *VSWHERE_ARGS))
    if home is None:
        return None
    default = rf"{home}\VC\Auxiliary\Build\Microsoft.VCToolsVersion.default.txt"
    toolset = version_in(machine.read(default))
    if not toolset:
        return None
    return Tool(
        name="cl",
        path=rf"{home}\VC\Tools\MSVC\{toolset}\bin\Hostx64\x64\cl.exe",
        version=compiler_version(toolset),
        target="x86_64-pc-windows-msvc",
    )


def parse_vswhere(text: str | None) -> str | None:
    """The folder of the newest Visual Studio with a C++ compiler, from vswhere's JSON."""
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    first = found[0] if isinstance(found, list) and found else None
    folder = first.get("installationPath") if isinstance(first, dict) else None
    return folder if isinstance(folder, str) else None


def compiler_version(toolset: str) -> str:
    """cl's own version: toolset 14.42.34433 holds cl 19.42.34433 (Microsoft's numbering)."""
    return re.sub(r"^14\.", "19.", toolset)


def vulkan_sdk(machine: Machine) -> Tool | None:
    """Vulkan's headers and its shader compiler: a build needs both.

    The version is that of the headers. On Linux a pkg-config file tells it; the SDK for
    Windows has none, and lies in a folder of that name.
    """
    sdk = machine.env("VULKAN_SDK")
    if sdk:
        glslc = rf"{sdk}\Bin\glslc.exe" if "\\" in sdk else f"{sdk}/bin/glslc"
        folders: tuple[str, ...] = (f"{sdk}/lib/pkgconfig",)
    else:
        glslc, folders = "glslc", PC_FOLDERS
    path = machine.which(glslc)
    texts = (machine.read(f"{folder}/vulkan.pc") for folder in folders)
    version = next((version_in(text, r"Version: ") for text in texts if text), "")
    version = version or version_in(sdk)
    return Tool(name="vulkan-sdk", path=path, version=version) if path and version else None


def opencl(machine: Machine) -> Tool | None:
    """OpenCL's headers and loader, which the OpenVINO backend is built with."""
    for folder in PC_FOLDERS:
        path = f"{folder}/OpenCL.pc"
        if version := version_in(machine.read(path), r"Version: "):
            return Tool(name="opencl", path=path, version=version)
    return None


def xcode(machine: Machine) -> Tool | None:
    """Apple's command line tools; the version is that of their macOS SDK."""
    if machine.system != "darwin":
        return None
    folder = (machine.run("/usr/bin/xcode-select", "-p") or "").strip()
    if not folder:
        return None
    return Tool(
        name="xcode",
        path=folder,
        version=version_in(machine.run("/usr/bin/xcrun", "--show-sdk-version")),
    )


PROGRAMS: dict[str, Callable[[Machine, str], tuple[str, str] | None]] = {
    "cmake": by_cmake,
    "ninja": by_flag("--version"),
    "make": by_flag("--version", after="GNU Make "),
    "ld": by_flag("--version"),
    "gcc": by_gcc,
    "g++": by_gcc,
    "clang": by_clang,
    "clang++": by_clang,
    "zig": by_flag("version"),
    "git": by_flag("--version", after="git version "),
    "ccache": by_flag("--version", after="ccache version "),
    "sccache": by_flag("--version", after="sccache "),
}
KITS: tuple[Callable[[Machine], Tool | None], ...] = (
    msvc,
    nvcc,
    cublas,
    vulkan_sdk,
    opencl,
    xcode,
)
