"""A handful of machines as values, for the tests of selection."""

from __future__ import annotations

import archspec.cpu

from smolpc.schema.host import Cpu, Gpu, Host, Memory, OperatingSystem, System, Tool

RTX4060 = Gpu(
    vendor="nvidia",
    name="NVIDIA GeForce RTX 4060",
    memory=8_000_000_000,
    compute_capability="8.9",
    driver="550.120",
)
GT710 = Gpu(
    vendor="nvidia", name="NVIDIA GeForce GT 710", compute_capability="3.5", driver="470.256"
)
HD4400 = Gpu(vendor="intel", name="Intel HD Graphics 4400", integrated=True)
NVCC = Tool(name="nvcc", path="/usr/local/cuda/bin/nvcc", version="12.8")
VULKAN = Tool(name="vulkan-sdk", path="/usr", version="1.4.309")


def machine(
    target: str,
    brand: str,
    *,
    system: System = "linux",
    gpus: tuple[Gpu, ...] = (),
    tools: tuple[Tool, ...] = (),
) -> Host:
    """A host whose processor has the features of an archspec target."""
    known = archspec.cpu.TARGETS[target]
    return Host(
        os=OperatingSystem(system=system, distro="debian" if system == "linux" else ""),
        cpu=Cpu(
            arch="aarch64" if "aarch64" in {a.name for a in known.ancestors} else "x86_64",
            vendor="AuthenticAMD" if "AMD" in brand else "GenuineIntel",
            brand=brand,
            microarchitecture=target,
            ancestors=tuple(ancestor.name for ancestor in known.ancestors),
            features=tuple(sorted(known.features)),
        ),
        memory=Memory(total=8_000_000_000, available=6_000_000_000),
        gpus=gpus,
        tools=tools,
    )


I3 = "Intel(R) Core(TM) i3-4005U CPU @ 1.70GHz"
HOSTS = {
    "core2": machine("core2", "Intel(R) Core(TM)2 Duo CPU E8400 @ 3.00GHz"),
    "nehalem": machine("nehalem", "Intel(R) Core(TM) i5 CPU M 430 @ 2.27GHz"),
    "ivybridge": machine("ivybridge", "Intel(R) Core(TM) i5-3210M CPU @ 2.50GHz"),
    "haswell": machine("haswell", I3, gpus=(HD4400,)),
    "haswell-gt710": machine("haswell", I3, gpus=(GT710,), tools=(NVCC,)),
    "skylake-x": machine("skylake_avx512", "Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz"),
    "icelake": machine("icelake", "Intel(R) Xeon(R) Processor @ 2.60GHz"),
    "sapphire-rapids": machine("sapphirerapids", "Intel(R) Xeon(R) Platinum 8480+"),
    "zen3": machine("zen3", "AMD Ryzen 5 5600G with Radeon Graphics"),
    "zen4": machine("zen4", "AMD Ryzen 7 7700X 8-Core Processor"),
    "rtx4060": machine("haswell", I3, gpus=(RTX4060,)),
    "rtx4060-cuda": machine("haswell", I3, gpus=(HD4400, RTX4060), tools=(NVCC, VULKAN)),
    "rtx4060-vulkan": machine("haswell", I3, gpus=(RTX4060,), tools=(VULKAN,)),
    "pi4": machine("cortex_a72", "Cortex-A72"),
    "altra": machine("neoverse_n1", "Neoverse-N1"),
    "graviton3": machine("neoverse_v1", "Neoverse-V1"),
    "windows-haswell": machine("haswell", I3, system="windows"),
    "windows-ivybridge": machine("ivybridge", "Intel i5-3210M", system="windows"),
    "m1": machine("m1", "Apple M1", system="darwin", gpus=(Gpu(vendor="apple", name="Apple M1"),)),
    "intel-mac": machine("haswell", "Intel(R) Core(TM) i5-8210Y CPU @ 1.60GHz", system="darwin"),
    "windows-arm": machine("neoverse_n1", "Snapdragon X Elite", system="windows"),
}
