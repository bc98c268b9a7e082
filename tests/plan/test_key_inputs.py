"""The key of a real profile on a recorded machine: paths, users and job counts stay out."""

from __future__ import annotations

import msgspec
import pytest

from smolpc.catalog import load_catalog
from smolpc.plan.requirements import BuildTarget, build_target
from smolpc.plan.select import select
from smolpc.plan.spec import build_spec
from smolpc.plan.toolchain import choose
from smolpc.schema.engine import Patch
from smolpc.schema.host import Host, Memory, Tool
from smolpc.schema.profile import Profile
from smolpc.schema.spec import BuildSpec
from tests.machines import hosts

CATALOG = load_catalog()
RECIPE = CATALOG.engines["llama.cpp"]
MACHINE = "cloud-xeon-icelake-debian12"


def target_on(host: Host) -> BuildTarget:
    return select(CATALOG.profiles, host, RECIPE).target


def spec_on(host: Host) -> BuildSpec:
    target = target_on(host)
    return build_spec(RECIPE, target, choose(host, target, CATALOG.tools), host)


@pytest.fixture
def host() -> Host:
    return hosts()[MACHINE]


def with_tool(host: Host, name: str, **changes: str) -> Host:
    tools = tuple(
        msgspec.structs.replace(tool, **changes) if tool.name == name else tool
        for tool in host.tools
    )
    return msgspec.structs.replace(host, tools=tools)


def test_what_does_not_decide_the_bytes_is_not_in_the_key(host: Host) -> None:
    key = spec_on(host).key
    moved = host
    for tool in host.tools:
        moved = with_tool(moved, tool.name, path=f"/another place/ü/{tool.name}")
    other_host = msgspec.structs.replace(
        moved,
        memory=Memory(total=8 * 10**9, available=10**9),
        disks=(),
        cpu=msgspec.structs.replace(host.cpu, usable_cores=1.0, brand="another name"),
        os=msgspec.structs.replace(host.os, kernel="9.9", name="Debian with another name"),
        tools=(*moved.tools, Tool(name="ccache", path="/usr/bin/ccache", version="4.8")),
        gaps=("something",),
    )
    assert spec_on(other_host).key == key


@pytest.mark.parametrize("name", ["gcc", "g++", "cmake", "ld"])
def test_another_version_of_a_build_tool_is_another_key(host: Host, name: str) -> None:
    assert spec_on(with_tool(host, name, version="99.1")).key != spec_on(host).key


def test_another_libc_is_another_key(host: Host) -> None:
    assert host.os.libc is not None
    libc = msgspec.structs.replace(host.os.libc, version="2.99")
    newer = msgspec.structs.replace(host, os=msgspec.structs.replace(host.os, libc=libc))
    assert spec_on(newer).key != spec_on(host).key


def test_native_is_spelled_out(host: Host) -> None:
    target = select(CATALOG.profiles, host, RECIPE, "native").target
    spec = build_spec(RECIPE, target, choose(host, target, CATALOG.tools), host)
    assert spec.cmake["GGML_NATIVE"] == "OFF"
    assert spec.cmake["GGML_AVX2"] == "ON"


RECIPE_CHANGES: dict[str, object] = {
    "commit": "9" * 40,
    "tree_sha256": "9" * 64,
    "patches": (Patch(file="x.patch", sha256="9" * 64, why="test"),),
    "cmake": {**RECIPE.cmake, "GGML_LTO": "ON"},
    "targets": ("llama",),
    "license_files": ("LICENSE",),
    "omit": (),
    "bindings": None,
}


@pytest.mark.parametrize("field", sorted(RECIPE_CHANGES))
def test_what_the_recipe_builds_is_in_the_key(host: Host, field: str) -> None:
    changed = msgspec.structs.replace(RECIPE, **{field: RECIPE_CHANGES[field]})
    assert changed != RECIPE
    target = target_on(host)
    spec = build_spec(changed, target, choose(host, target, CATALOG.tools), host)
    assert spec.key != spec_on(host).key


@pytest.mark.parametrize(
    ("profile", "tool"),
    [("linux-x86_64-cuda-ada", "nvcc"), ("linux-x86_64-vulkan", "vulkan-sdk")],
)
def test_the_sdk_of_a_gpu_backend_is_in_the_key(host: Host, profile: str, tool: str) -> None:
    def key(version: str) -> str:
        sdk = Tool(name=tool, path=f"/usr/bin/{tool}", version=version)
        others = tuple(known for known in host.tools if known.name != tool)
        there = msgspec.structs.replace(host, tools=(*others, sdk))
        target = build_target(CATALOG.profiles[profile], there, RECIPE)
        return build_spec(RECIPE, target, choose(there, target, CATALOG.tools), there).key

    assert key("12.8") != key("13.0")


def test_gpu_architectures_are_in_the_key(host: Host) -> None:
    profile = CATALOG.profiles["linux-x86_64-cuda-ada"]
    other = msgspec.structs.replace(
        profile, build=msgspec.structs.replace(profile.build, gpu_architectures=("75-real",))
    )

    def key(chosen: Profile) -> str:
        target = build_target(chosen, host, RECIPE)
        return build_spec(RECIPE, target, choose(host, target, CATALOG.tools), host).key

    assert key(profile) != key(other)
