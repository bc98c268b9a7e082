"""What detection says about every recorded machine."""

from __future__ import annotations

from typing import Any

import pytest

from smolpc.detect import detect, tools
from smolpc.detect.recorded import RecordedMachine, Recording
from smolpc.errors import PrerequisiteError
from smolpc.schema.host import Gpu, Host
from tests.machines import STORE, hosts, load, names

GiB = 1 << 30

# microarchitecture, (sockets, physical, logical), (performance, efficiency), usable cores
CPUS: dict[str, tuple[str, tuple[int, int, int], tuple[int, int], float]] = {
    "ancient-core2-debian12": ("core2", (1, 2, 2), (0, 0), 2),
    "cloud-xeon-icelake-debian12": ("icelake", (1, 2, 2), (0, 0), 2),
    "container-cgroup-limited": ("zen3", (1, 8, 16), (0, 0), 2),
    "graviton3-arm64": ("neoverse_v1", (1, 8, 8), (0, 0), 8),
    "laptop-ultra9-rtx4050-windows11": ("arrowlake", (1, 16, 16), (0, 0), 16),
    "macbook-intel-2019": ("skylake", (1, 6, 12), (0, 0), 12),
    "macbook-m3-macos15": ("m3", (1, 8, 8), (4, 4), 8),
    "old-core2-2core-linux": ("westmere", (1, 2, 4), (0, 0), 4),
    "raspberry-pi5-debian12": ("neoverse_n1", (1, 4, 4), (0, 0), 4),
    "ryzen-5600g-radeon-ubuntu24": ("zen3", (1, 6, 12), (0, 0), 12),
    "sapphire-rapids-server": ("sapphirerapids", (2, 16, 32), (0, 0), 32),
    "windows-10-i3-4gb": ("haswell", (1, 2, 4), (0, 0), 4),
    "zen4-7950x-rtx4090-ubuntu24": ("zen4", (1, 16, 32), (0, 0), 32),
}

# features that are there, features that are not
FEATURES: dict[str, tuple[str, str]] = {
    "ancient-core2-debian12": ("sse3 ssse3", "sse4_1 sse4_2 avx"),
    "cloud-xeon-icelake-debian12": ("avx512_vnni avx512_bf16 amx_tile avx_vnni", "waitpkg"),
    "container-cgroup-limited": ("avx2 fma f16c bmi2", "avx512f"),
    "graviton3-arm64": ("asimddp i8mm bf16 sve svei8mm", "sve2 sme"),
    "laptop-ultra9-rtx4050-windows11": ("avx2 fma f16c bmi2 avx_vnni sse3", "avx512f amx_tile"),
    "macbook-intel-2019": ("sse4_2 avx avx2 fma f16c bmi2 abm", "avx512f sha_ni"),
    "macbook-m3-macos15": ("asimd asimddp i8mm bf16 asimdhp", "sve sme"),
    "old-core2-2core-linux": ("sse4_1 sse4_2 popcnt", "avx avx2 f16c fma"),
    "raspberry-pi5-debian12": ("asimddp asimdhp", "i8mm bf16 sve"),
    "ryzen-5600g-radeon-ubuntu24": ("avx2 fma f16c bmi2 vaes", "avx512f avx_vnni"),
    "sapphire-rapids-server": ("amx_tile amx_int8 amx_bf16 avx512_fp16 avx512_bf16", "sse4a"),
    "windows-10-i3-4gb": ("avx2 fma f16c bmi2", "avx512f adx"),
    "zen4-7950x-rtx4090-ubuntu24": ("avx512_vnni avx512_bf16 avx512vbmi gfni", "amx_tile"),
}

# name as in Host.gpus: the fields that matter
GPUS: dict[str, list[dict[str, Any]]] = {
    "ancient-core2-debian12": [{"vendor": "intel", "integrated": True, "vulkan": False}],
    "cloud-xeon-icelake-debian12": [],
    "container-cgroup-limited": [],
    "graviton3-arm64": [],
    "laptop-ultra9-rtx4050-windows11": [
        {
            "vendor": "nvidia",
            "name": "GeForce RTX 4050 Laptop GPU",
            "memory": 6439305216,
            "compute_capability": "8.9",
            "driver": "572.70",
            "cuda_driver": "12.8",
            "integrated": False,
            "source": "nvml",
        },
        {"vendor": "intel", "integrated": True, "memory": None},
    ],
    "macbook-intel-2019": [
        {"vendor": "amd", "memory": 4 * GiB, "integrated": False, "metal": "Metal 3"},
        {"vendor": "intel", "memory": None, "integrated": True},
    ],
    "macbook-m3-macos15": [
        {"vendor": "apple", "memory": None, "integrated": True, "metal": "Metal 3"}
    ],
    "old-core2-2core-linux": [{"vendor": "intel", "integrated": True}],
    "raspberry-pi5-debian12": [],
    "ryzen-5600g-radeon-ubuntu24": [
        {"vendor": "amd", "integrated": True, "memory": None, "vulkan": True, "pci": "1002:1638"}
    ],
    "sapphire-rapids-server": [],
    "windows-10-i3-4gb": [],
    "zen4-7950x-rtx4090-ubuntu24": [
        {
            "vendor": "nvidia",
            "name": "GeForce RTX 4090",
            "memory": 25757220864,
            "compute_capability": "8.9",
            "cuda_driver": "12.8",
            "vulkan": True,
        },
        {"vendor": "amd", "name": "Raphael", "integrated": True},
    ],
}

TOOLS: dict[str, dict[str, str]] = {
    "ancient-core2-debian12": {"make": "4.3", "gcc": "12.2.0", "g++": "12.2.0", "git": "2.39.5"},
    "container-cgroup-limited": {},
    "laptop-ultra9-rtx4050-windows11": {
        "cmake": "3.31.6",
        "ninja": "1.11.1",
        "git": "2.48.1",
        "cl": "19.43.34808",
        "nvcc": "12.8.61",
        "cublas": "",
    },
    "macbook-intel-2019": {},  # all that lies in /usr/bin would only open a dialog
    "macbook-m3-macos15": {
        "cmake": "3.31.5",
        "ninja": "1.12.1",
        "make": "3.81",
        "clang": "16.0.0",
        "clang++": "16.0.0",
        "git": "2.39.5",
        "xcode": "15.2",
    },
    "ryzen-5600g-radeon-ubuntu24": {
        "cmake": "3.28.3",
        "ninja": "1.11.1",
        "make": "4.3",
        "gcc": "13.3.0",
        "g++": "13.3.0",
        "git": "2.43.0",
        "ccache": "4.9.1",
        "vulkan-sdk": "1.3.275",
    },
    "windows-10-i3-4gb": {},
}


def host_of(name: str) -> Host:
    return hosts()[name]


def test_every_recorded_machine_has_its_row() -> None:
    assert list(CPUS) == list(FEATURES) == list(GPUS) == names()


@pytest.mark.parametrize("name", CPUS)
def test_cpu(name: str) -> None:
    cpu = host_of(name).cpu
    micro, counts, kinds, usable = CPUS[name]
    assert cpu.microarchitecture == micro
    assert (cpu.sockets, cpu.physical_cores, cpu.logical_cores) == counts
    assert (cpu.performance_cores, cpu.efficiency_cores) == kinds
    assert cpu.usable_cores == usable
    assert cpu.brand


@pytest.mark.parametrize("name", FEATURES)
def test_features_are_named_alike_on_every_platform(name: str) -> None:
    present, absent = FEATURES[name]
    features = set(host_of(name).cpu.features)
    assert set(present.split()) <= features
    assert not features & set(absent.split())


@pytest.mark.parametrize("name", GPUS)
def test_gpus(name: str) -> None:
    found: tuple[Gpu, ...] = host_of(name).gpus
    assert len(found) == len(GPUS[name])
    for gpu, expected in zip(found, GPUS[name], strict=True):
        assert {field: getattr(gpu, field) for field in expected} == expected


@pytest.mark.parametrize("name", TOOLS)
def test_tools(name: str) -> None:
    assert {tool.name: tool.version for tool in host_of(name).tools} == TOOLS[name]


def test_targets_of_compilers() -> None:
    targets = {
        (name, tool.name): tool.target
        for name, host in hosts().items()
        for tool in host.tools
        if tool.target
    }
    assert targets["raspberry-pi5-debian12", "gcc"] == "aarch64-linux-gnu"
    assert targets["macbook-m3-macos15", "clang"] == "arm64-apple-darwin24.3.0"
    assert targets["laptop-ultra9-rtx4050-windows11", "cl"] == "x86_64-pc-windows-msvc"


def test_tools_outside_path_are_found() -> None:
    nvcc = host_of("zen4-7950x-rtx4090-ubuntu24").tool("nvcc")
    assert nvcc is not None
    assert (nvcc.path, nvcc.version) == ("/usr/local/cuda/bin/nvcc", "12.8.93")


def test_a_cuda_compiler_may_come_without_cublas() -> None:
    whole = host_of("zen4-7950x-rtx4090-ubuntu24").tool("cublas")
    assert whole is not None
    assert whole.path == "/usr/local/cuda/include"
    part = host_of("cloud-xeon-icelake-debian12")
    assert part.tool("nvcc") is not None
    assert part.tool("cublas") is None


@pytest.mark.parametrize(
    ("name", "system", "distro", "libc"),
    [
        ("cloud-xeon-icelake-debian12", "linux", "debian", ("glibc", "2.36")),
        ("ryzen-5600g-radeon-ubuntu24", "linux", "ubuntu", ("glibc", "2.39")),
        ("container-cgroup-limited", "linux", "alpine", ("musl", "")),
        ("macbook-m3-macos15", "darwin", "", ("libsystem", "15.3.1")),
        ("windows-10-i3-4gb", "windows", "", ("ucrt", "")),
    ],
)
def test_operating_system(name: str, system: str, distro: str, libc: tuple[str, str]) -> None:
    os = host_of(name).os
    assert (os.system, os.distro) == (system, distro)
    assert os.libc is not None
    assert (os.libc.name, os.libc.version) == libc


def test_a_container_sees_its_own_memory_not_the_machine_s() -> None:
    memory = host_of("container-cgroup-limited").memory
    assert (memory.total, memory.limited_by) == (2 * GiB, "cgroup")
    # 700 MiB are used, of which 500 MiB are page cache that can be dropped
    assert memory.available == 2 * GiB - 734003200 + 524288000


@pytest.mark.parametrize(
    ("sdk", "files", "version"),
    [
        (r"C:\VulkanSDK\1.4.309.0", {}, "1.4.309.0"),
        ("/opt/1.4.321.1/x86_64", {}, "1.4.321.1"),
        ("/home/anna/sdk", {"lib/pkgconfig/vulkan.pc": "Version: 1.4.309\n"}, "1.4.309"),
        ("/home/anna/sdk", {}, ""),
    ],
)
def test_a_vulkan_sdk_that_is_not_installed(sdk: str, files: dict[str, str], version: str) -> None:
    glslc = rf"{sdk}\Bin\glslc.exe" if "\\" in sdk else f"{sdk}/bin/glslc"
    recording = Recording(
        system="linux",
        arch="x86_64",
        environment={"VULKAN_SDK": sdk},
        programs={glslc: glslc, "glslc": "/usr/bin/glslc"},
        files={f"{sdk}/{name}": text for name, text in files.items()},
    )
    tool = tools.vulkan_sdk(RecordedMachine(recording))
    assert (tool.path, tool.version) == (glslc, version) if tool else not version


def test_npus() -> None:
    found = {name: [npu.name for npu in host.npus] for name, host in hosts().items() if host.npus}
    assert found == {
        "laptop-ultra9-rtx4050-windows11": ["Intel(R) AI Boost"],
        "macbook-m3-macos15": ["Apple Neural Engine"],
    }


def test_what_could_not_be_found_out_is_said() -> None:
    gaps = {name: host.gaps for name, host in hosts().items() if host.gaps}
    assert set(gaps) == {"laptop-ultra9-rtx4050-windows11", "windows-10-i3-4gb"}
    assert "performance cores" in gaps["laptop-ultra9-rtx4050-windows11"][0]
    assert "driver" in gaps["windows-10-i3-4gb"][0]


@pytest.mark.parametrize("name", names())
def test_a_nvidia_card_without_driver_is_said(name: str) -> None:
    machine = load(name)
    machine.recording.libraries["nvml"] = {"error": "Driver Not Loaded"}
    nvidia = [gpu for gpu in detect(machine, STORE).gpus if gpu.vendor == "nvidia"]
    said = [gap for gap in detect(machine, STORE).gaps if "NVIDIA's driver" in gap]
    assert bool(said) == bool(nvidia)
    assert all(not gpu.compute_capability for gpu in nvidia)


def test_two_equal_cards_stay_two() -> None:
    machine = load("zen4-7950x-rtx4090-ubuntu24")
    recording = machine.recording
    bus = "/sys/bus/pci/devices"
    recording.folders[bus] = (*(recording.folders[bus] or ()), "0000:02:00.0")
    for field in ("class", "vendor", "device"):
        recording.files[f"{bus}/0000:02:00.0/{field}"] = recording.files[
            f"{bus}/0000:01:00.0/{field}"
        ]
    device = recording.libraries["nvml"]["devices"][0]
    recording.libraries["nvml"]["devices"] = [device, {**device, "bus": "00000000:02:00.0"}]
    found = [gpu.source for gpu in detect(machine, STORE).gpus if gpu.vendor == "nvidia"]
    assert found == ["nvml", "nvml"]


def test_rosetta_does_not_hide_an_apple_chip() -> None:
    machine = load("macbook-m3-macos15")
    machine.arch = "x86_64"  # what a translated Python is told
    assert detect(machine, STORE).cpu.microarchitecture == "m3"


def test_hybrid_cores_on_linux_and_windows() -> None:
    linux = load("ryzen-5600g-radeon-ubuntu24")
    linux.recording.files["/sys/devices/cpu_core/cpus"] = "0-1,6-7\n"
    linux.recording.files["/sys/devices/cpu_atom/cpus"] = "2-5\n"
    cpu = detect(linux, STORE).cpu
    assert (cpu.performance_cores, cpu.efficiency_cores) == (2, 4)

    windows = load("laptop-ultra9-rtx4050-windows11")
    for command, answer in windows.recording.commands.items():
        if "NumberOfLogicalProcessors" in command and answer:
            windows.recording.commands[command] = answer.replace(
                '"NumberOfCores": 16, "NumberOfLogicalProcessors": 16',
                '"NumberOfCores": 14, "NumberOfLogicalProcessors": 20',
            )
    cpu = detect(windows, STORE).cpu
    assert (cpu.performance_cores, cpu.efficiency_cores) == (6, 8)


def test_big_little_by_capacity() -> None:
    machine = load("raspberry-pi5-debian12")
    for cpu in (0, 1):
        machine.recording.files[f"/sys/devices/system/cpu/cpu{cpu}/cpu_capacity"] = "400\n"
    found = detect(machine, STORE).cpu
    assert (found.performance_cores, found.efficiency_cores) == (2, 2)


@pytest.mark.parametrize("system", ["linux", "win32", "darwin"])
def test_a_machine_that_answers_nothing_is_all_gaps(system: str) -> None:
    host = detect(RecordedMachine(Recording(system=system, arch="x86_64")), STORE)
    assert host.cpu.microarchitecture == "x86_64"
    assert not host.gpus
    assert not host.tools
    assert len(host.gaps) >= 3


def test_windows_that_forbids_powershell_still_has_cores_and_its_nvidia_card() -> None:
    machine = load("laptop-ultra9-rtx4050-windows11")
    machine.recording.commands = {}
    host = detect(machine, STORE)
    assert (host.cpu.microarchitecture, host.cpu.logical_cores) == ("arrowlake", 16)
    assert [gpu.compute_capability for gpu in host.gpus] == ["8.9"]
    assert "PowerShell" in host.gaps[0]


def test_windows_card_inside_wsl() -> None:
    machine = load("ryzen-5600g-radeon-ubuntu24")
    recording = machine.recording
    recording.folders["/sys/bus/pci/devices"] = ()
    recording.folders["/usr/lib/wsl/lib"] = ("libcuda.so.1", "libnvidia-ml.so.1")
    recording.libraries["nvml"] = load("zen4-7950x-rtx4090-ubuntu24").recording.libraries["nvml"]
    assert [gpu.name for gpu in detect(machine, STORE).gpus] == ["GeForce RTX 4090"]


@pytest.mark.parametrize(("system", "arch"), [("freebsd14", "amd64"), ("linux", "i686")])
def test_an_unknown_kind_of_machine_is_refused_with_a_next_step(system: str, arch: str) -> None:
    with pytest.raises(PrerequisiteError) as caught:
        detect(RecordedMachine(Recording(system=system, arch=arch)), STORE)
    assert caught.value.next_step
