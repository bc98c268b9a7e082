"""What a machine is: the result of `smolpc detect`."""

from __future__ import annotations

from typing import Literal

from smolpc.schema.base import Bytes, Value

System = Literal["linux", "windows", "darwin"]
Arch = Literal["x86_64", "aarch64"]
GpuVendor = Literal["nvidia", "amd", "intel", "apple", "other"]


class Libc(Value, kw_only=True):
    """The C library that binaries built here need."""

    name: Literal["glibc", "musl", "ucrt", "libsystem"]
    version: str = ""


class OperatingSystem(Value, kw_only=True):
    system: System
    name: str = ""  # for people: "Debian GNU/Linux 12 (bookworm)"
    version: str = ""  # "12", "10.0.26100", "15.1"
    distro: str = ""  # os-release ID: "debian"
    distro_like: tuple[str, ...] = ()  # os-release ID_LIKE
    kernel: str = ""
    libc: Libc | None = None


class Cpu(Value, kw_only=True):
    """One processor package type. Feature names are archspec's (Linux cpuinfo flags on x86)."""

    arch: Arch
    vendor: str = ""  # "GenuineIntel", "AuthenticAMD", "Apple", ...
    brand: str = ""
    microarchitecture: str = ""  # archspec's best match for the *features*, not for the name
    ancestors: tuple[str, ...] = ()  # archspec ancestors of the microarchitecture
    features: tuple[str, ...] = ()  # sorted
    sockets: int = 1
    physical_cores: int = 1
    logical_cores: int = 1
    performance_cores: int = 0  # 0: all cores are alike
    efficiency_cores: int = 0
    usable_cores: float = 1.0  # after cgroup quota and affinity; may be a fraction


class Memory(Value, kw_only=True):
    """Bytes that this process may use: the smaller of the machine and the cgroup."""

    total: Bytes
    available: Bytes
    limited_by: str = ""  # "" or "cgroup"


class Disk(Value, kw_only=True):
    path: str
    total: Bytes
    free: Bytes
    filesystem: str = ""


class Gpu(Value, kw_only=True):
    vendor: GpuVendor
    name: str
    memory: Bytes | None = None  # None: unknown or shared with the CPU
    integrated: bool = False
    compute_capability: str = ""  # NVIDIA: "8.9"
    driver: str = ""  # version of the vendor's driver
    cuda_driver: str = ""  # highest CUDA version the driver accepts: "12.8"
    metal: str = ""  # Metal family or version: "Metal 3"
    vulkan: bool | None = None  # None: not known
    pci: str = ""  # "10de:2717"
    source: str = ""  # nvml, sysfs, system_profiler, wmi


class Npu(Value, kw_only=True):
    vendor: str
    name: str
    driver: str = ""  # Linux: "intel_vpu"
    pci: str = ""  # "8086:643e"
    source: str = ""  # sysfs, pci, sysctl, wmi


class Tool(Value, kw_only=True):
    """A program the build may use. `target` is the triple a compiler produces."""

    name: str  # as in smolpc/detect/tools.py: cmake, ninja, gcc, g++, cl, nvcc, vulkan-sdk, ...
    path: str
    version: str = ""
    target: str = ""


class Host(Value, kw_only=True):
    """One machine, at one moment. `gaps` says what could not be asked, and why."""

    format: int = 1
    os: OperatingSystem
    cpu: Cpu
    memory: Memory
    disks: tuple[Disk, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    npus: tuple[Npu, ...] = ()
    tools: tuple[Tool, ...] = ()
    gaps: tuple[str, ...] = ()

    def tool(self, name: str) -> Tool | None:
        """The first tool of that name in search order, or None."""
        return next((tool for tool in self.tools if tool.name == name), None)
