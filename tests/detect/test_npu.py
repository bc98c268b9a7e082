"""Neural processing units: seen with and without a driver, on every system."""

from __future__ import annotations

import msgspec
import pytest

from smolpc.catalog import load_catalog
from smolpc.detect import npu, windows
from smolpc.detect.recorded import RecordedMachine, Recording
from smolpc.plan.npu import sentence
from smolpc.schema.host import Npu
from tests.machines import hosts
from tests.plan.hosts import HOSTS

PCI = "/sys/bus/pci/devices"


def linux(
    *,
    files: dict[str, str | None] | None = None,
    folders: dict[str, tuple[str, ...] | None] | None = None,
) -> RecordedMachine:
    return RecordedMachine(
        Recording(system="linux", arch="x86_64", files=files or {}, folders=folders or {})
    )


def on_the_bus(vendor: str, device: str, kind: str) -> dict[str, str | None]:
    folder = f"{PCI}/0000:00:0b.0"
    return {
        f"{folder}/class": f"0x{kind}\n",
        f"{folder}/vendor": f"0x{vendor}\n",
        f"{folder}/device": f"0x{device}\n",
    }


@pytest.mark.parametrize(
    ("uevent", "vendor", "name"),
    [
        ("DRIVER=intel_vpu\nPCI_ID=8086:643E\n", "intel", "Intel NPU (Lunar Lake)"),
        ("DRIVER=intel_vpu\nPCI_ID=8086:FFFF\n", "intel", "Intel NPU"),
        ("DRIVER=amdxdna\nPCI_ID=1022:17F0\n", "amd", "AMD XDNA NPU (Strix)"),
        ("DRIVER=rocket\nOF_NAME=npu\n", "rockchip", "Rockchip NPU"),
    ],
)
def test_a_linux_device_with_its_driver(uevent: str, vendor: str, name: str) -> None:
    machine = linux(
        files={f"{npu.ACCEL}/accel0/device/uevent": uevent}, folders={npu.ACCEL: ("accel0",)}
    )
    gaps: list[str] = []
    (found,) = npu.ask(machine, gaps)
    assert (found.vendor, found.name, gaps) == (vendor, name, [])
    assert found.driver


@pytest.mark.parametrize(
    ("vendor", "device", "kind", "name"),
    [
        ("8086", "7d1d", "120000", "Intel NPU (Meteor Lake)"),
        ("1022", "1502", "118000", "AMD XDNA NPU (Phoenix)"),
        ("1e60", "2864", "0b4000", "Hailo-8 NPU"),
    ],
)
def test_without_a_driver_the_bus_shows_it_and_that_is_said(
    vendor: str, device: str, kind: str, name: str
) -> None:
    machine = linux(files=on_the_bus(vendor, device, kind), folders={PCI: ("0000:00:0b.0",)})
    gaps: list[str] = []
    (found,) = npu.ask(machine, gaps)
    assert (found.name, found.driver) == (name, "")
    assert gaps == [f"{name} is here, but Linux has no driver loaded for it"]


def test_one_device_is_not_counted_twice() -> None:
    machine = linux(
        files={
            f"{npu.ACCEL}/accel0/device/uevent": "DRIVER=intel_vpu\nPCI_ID=8086:7D1D\n",
            **on_the_bus("8086", "7d1d", "120000"),
        },
        folders={npu.ACCEL: ("accel0",), PCI: ("0000:00:0b.0",)},
    )
    assert len(npu.ask(machine, [])) == 1


def test_other_accelerators_on_the_bus_are_no_npu() -> None:
    machine = linux(files=on_the_bus("8086", "0d5c", "120000"), folders={PCI: ("0000:00:0b.0",)})
    assert npu.ask(machine, []) == ()


def test_qualcomm_on_linux() -> None:
    (found,) = npu.ask(linux(folders={npu.MISC: ("cpu_dma_latency", "fastrpc-cdsp")}), [])
    assert found.vendor == "qualcomm"


@pytest.mark.parametrize(
    ("name", "maker", "vendor"),
    [
        ("Intel(R) AI Boost", "Intel Corporation", "intel"),
        ("NPU Compute Accelerator Device", "Advanced Micro Devices, Inc.", "amd"),
        (
            "Snapdragon(R) X Elite - X1E78100 - Qualcomm(R) Hexagon(TM) NPU",
            "Qualcomm Technologies, Inc.",
            "qualcomm",
        ),
    ],
)
def test_windows(name: str, maker: str, vendor: str) -> None:
    assert npu.REAL_NPU.search(name)
    assert npu.npu_of(windows.Device(Name=name, Manufacturer=maker)).vendor == vendor


CATALOG = load_catalog()
RECIPE = CATALOG.engines["llama.cpp"]


@pytest.mark.parametrize("vendor", ["amd", "qualcomm", "apple", "rockchip", "hailo", "other"])
def test_what_this_engine_cannot_use_is_said_honestly(vendor: str) -> None:
    text, command = sentence(Npu(vendor=vendor, name="x"), CATALOG.profiles, HOSTS["zen4"], RECIPE)
    assert text.startswith(f"not supported by llama.cpp {RECIPE.version}: ")
    assert command == ""


def test_every_recorded_npu_has_a_sentence() -> None:
    for host in hosts().values():
        for found in host.npus:
            assert sentence(found, CATALOG.profiles, host, RECIPE)[0]


def test_a_feature_of_the_recipe_leads_to_a_profile() -> None:
    recipe = msgspec.structs.replace(
        RECIPE, npus={"amd": msgspec.convert({"feature": "vulkan"}, type(RECIPE.npus["apple"]))}
    )
    text, command = sentence(
        Npu(vendor="amd", name="x"), CATALOG.profiles, HOSTS["rtx4060-vulkan"], recipe
    )
    assert command == f"smolpc setup --profile {text.split()[0]}"
