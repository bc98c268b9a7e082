"""Tools that can be fetched count as there; the machine's own come first where they will do."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.build import configure, package
from smolpc.catalog import load_catalog
from smolpc.plan.fetchable import old_driver, shortcoming, with_fetchable
from smolpc.plan.requirements import version
from smolpc.plan.select import Selection, select
from smolpc.plan.spec import build_spec
from smolpc.plan.toolchain import choose
from smolpc.schema.base import digest_of
from smolpc.schema.host import Host, Tool
from tests.machines import hosts

CATALOG = load_catalog()
RECIPE = CATALOG.engines["llama.cpp"]
PINNED = CATALOG.tools["nvcc"]
LEFT_OUT = ("nvcc", "cublas", "vulkan-sdk")
RTX4090 = hosts()["zen4-7950x-rtx4090-ubuntu24"]


def pc(*, driver: str, nvcc: str = "", cublas: bool = True) -> Host:
    """The PC with the RTX 4090, with another driver and another CUDA toolkit, or none."""
    gpus = tuple(msgspec.structs.replace(gpu, driver=driver) for gpu in RTX4090.gpus)
    tools = [tool for tool in RTX4090.tools if tool.name not in LEFT_OUT]
    if nvcc:
        tools.append(Tool(name="nvcc", path="/usr/bin/nvcc", version=nvcc))
    if nvcc and cublas:
        tools.append(Tool(name="cublas", path="/usr/include"))
    return msgspec.structs.replace(RTX4090, gpus=gpus, tools=tuple(tools))


def chosen(host: Host) -> tuple[Host, Selection]:
    able = with_fetchable(host, CATALOG.tools.values())
    return able, select(CATALOG.profiles, able, RECIPE)


def test_an_nvidia_pc_without_a_toolkit_builds_for_its_gpu() -> None:
    able, selection = chosen(pc(driver="580.95.05"))
    assert selection.profile.name == "linux-x86_64-cuda-ada"
    assert "cuda_no_vmm" in selection.features  # the wheels hold no libcuda to link with
    toolchain = choose(able, selection.target, CATALOG.tools)
    assert "nvcc" in [tool.name for tool in toolchain.fetched]
    spec = build_spec(RECIPE, selection.target, toolchain, able)
    assert spec.sdks["cuda"] == spec.compilers["CUDA"].version == PINNED.version
    assert spec.cmake["GGML_CUDA_NO_VMM"] == "ON"
    needs = package.requirements(spec, selection.target, RECIPE, [str(PINNED.min_driver)])
    assert needs.driver == "580.65.06"  # not the older one of the profile


def test_cmake_is_told_where_the_fetched_libraries_are() -> None:
    able, selection = chosen(pc(driver="580.95.05"))
    toolchain = choose(able, selection.target, CATALOG.tools)
    for tool in toolchain.fetched:
        here = msgspec.structs.replace(tool, path=f"/store/tools/{tool.name}/bin/{tool.name}")
        places = {"CUDA_CUDART": "/store/libcudart.so.13"} if tool.name == "nvcc" else {}
        toolchain = toolchain.found(here, places)
    assert toolchain.fetched == ()
    entries = configure.local_entries(toolchain, Path("/b/source"), Path("/b/build"))
    assert entries["CMAKE_CUDA_COMPILER"] == "/store/tools/nvcc/bin/nvcc"
    assert entries["CUDA_CUDART"] == "/store/libcudart.so.13"


def test_with_an_older_driver_the_toolkit_must_be_installed() -> None:
    host = pc(driver="550.120")
    _, selection = chosen(host)
    assert "cuda" not in selection.profile.name
    (note,) = (note for note in selection.notes if "4090" in note)
    assert "sudo apt-get install nvidia-cuda-toolkit" in note
    assert old_driver(host, PINNED) == "550.120"


@pytest.mark.parametrize(
    ("driver", "own", "cublas", "capability", "fetched"),
    [
        ("580.95.05", "12.4.131", True, "8.9", False),  # it will do
        ("580.95.05", "12.4.131", False, "8.9", True),  # a part of a toolkit
        ("580.95.05", "12.4.131", True, "12.0", True),  # it cannot compile for an RTX 50xx
        ("580.95.05", "12.8.93", True, "12.0", False),
        ("580.95.05", "11.5.119", True, "8.9", True),  # it cannot compile for an RTX 40xx
        ("550.120", "12.4.131", True, "8.9", False),
        ("550.120", "12.4.131", False, "8.9", False),  # perhaps it lies somewhere else
    ],
)
def test_the_machines_own_compiler(
    driver: str, own: str, cublas: bool, capability: str, fetched: bool
) -> None:
    host = pc(driver=driver, nvcc=own, cublas=cublas)
    gpus = (msgspec.structs.replace(gpu, compute_capability=capability) for gpu in host.gpus)
    able, selection = chosen(msgspec.structs.replace(host, gpus=tuple(gpus)))
    assert selection.profile.name.startswith("linux-x86_64-cuda")
    toolchain = choose(able, selection.target, CATALOG.tools)
    assert ("nvcc" in [tool.name for tool in toolchain.fetched]) == fetched
    assert ("cuda_no_vmm" in selection.features) == fetched


@given(st.sampled_from(sorted(hosts())), st.sampled_from(["", "470.1", "580.65.06", "600.1"]))
def test_nothing_that_works_is_taken_away(name: str, driver: str) -> None:
    host = hosts()[name]
    host = msgspec.structs.replace(
        host, gpus=tuple(msgspec.structs.replace(gpu, driver=driver) for gpu in host.gpus)
    )
    able = with_fetchable(host, CATALOG.tools.values())
    assert with_fetchable(able, CATALOG.tools.values()) == able
    for tool in host.tools:
        found = able.tool(tool.name)
        assert found is not None
        assert version(found.version) >= version(tool.version)
    for tool in set(able.tools) - set(host.tools):
        recipe = CATALOG.tools[tool.name]
        assert recipe.wheels_for(host)
        nvidia = [gpu for gpu in host.gpus if gpu.vendor == "nvidia"]
        assert not (recipe.min_driver and nvidia and driver in ("", "470.1"))


def test_a_machine_without_a_gpu_keeps_its_compiler() -> None:
    """It builds for others, whose driver may be old."""
    own = msgspec.structs.replace(pc(driver="", nvcc="12.4.131"), gpus=())
    assert with_fetchable(own, CATALOG.tools.values()).tool("nvcc") == own.tool("nvcc")
    assert shortcoming(own, PINNED) == ""


def test_whose_parts_an_engine_holds_is_in_its_key() -> None:
    """The fetched compiler and one of the same version that is installed."""
    profile = CATALOG.profiles["linux-x86_64-cuda-ada"]
    options = msgspec.structs.replace(profile.build, options=("cuda_no_vmm",))
    profiles = {profile.name: msgspec.structs.replace(profile, build=options)}
    keys = set()
    changed = msgspec.structs.replace(PINNED, runtime=PINNED.runtime[:1])
    for tools, own in (
        (CATALOG.tools, PINNED.version),
        (CATALOG.tools, ""),
        ({**CATALOG.tools, "nvcc": changed}, ""),
    ):
        able = with_fetchable(pc(driver="580.95.05", nvcc=own), tools.values())
        selection = select(profiles, able, RECIPE)
        toolchain = choose(able, selection.target, tools)
        keys.add(build_spec(RECIPE, selection.target, toolchain, able).key)
    assert len(keys) == 3


def test_other_wheels_have_another_version() -> None:
    """The version names the folder in the store and stands in the key: whoever pins other
    wheels gives the recipe another version too, and writes the new digest here."""
    digests = {
        f"{recipe.name} {recipe.version}": digest_of(recipe.wheels)[:12]
        for recipe in CATALOG.tools.values()
    }
    assert digests == {
        "cmake 4.4.4": "a419cfc11144",
        "ninja 1.13.2": "325fe038a557",
        "nvcc 13.5.37": "244ff7184e53",
        "openvino 2026.4.1": "2e40dc9e39f2",
    }
