"""The key of a real profile on a recorded machine: paths, users and job counts stay out."""

from __future__ import annotations

import msgspec
import pytest

from smolpc.catalog import load_catalog
from smolpc.plan.requirements import BuildTarget
from smolpc.plan.select import select
from smolpc.plan.spec import build_spec
from smolpc.plan.toolchain import choose
from smolpc.schema.host import Host, Memory, Tool
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


@pytest.mark.parametrize("name", ["gcc", "g++", "cmake"])
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
