"""Parsers get whatever a program prints: they never raise, and they keep what is true."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.detect import (
    cgroup,
    gpu,
    gpu_apple,
    gpu_windows,
    macos,
    memory,
    microarch,
    npu,
    pci,
    system,
    tools,
    topology,
    windows,
)
from smolpc.detect.machine import json_in, version_in, whole_number
from smolpc.schema.host import Memory

TEXT_PARSERS: list[Callable[[str], Any]] = [
    cgroup.parse_groups,
    cgroup.parse_quota,
    lambda text: cgroup.parse_stat(text, "inactive_file"),
    gpu_apple.parse,
    gpu_apple.parse_memory,
    gpu_windows.parse_id,
    macos.parse,
    memory.parse_meminfo,
    npu.parse_uevent,
    pci.parse_hex,
    lambda text: pci.parse_names(text, ["10de:2684"]),
    system.parse_os_release,
    system.parse_plist,
    system.parse_libc,
    tools.parse_clang,
    tools.parse_cmake,
    tools.parse_vswhere,
    topology.parse_cpu_list,
    topology.parse_cpuinfo,
    windows.parse,
    json_in,
    version_in,
    whole_number,
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["version", "string", "os", "cpu", "video", "Name", "SPDisplaysDataType", "_name"]
            )
            | st.sampled_from(["driver", "cuda", "devices", "total", "available"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
LIKELY = st.text(alphabet="0123456789abcdef:,.-= \t\n\"'{}[]<>/\\xkBMG\0é", max_size=80)


@given(text=st.text(max_size=80) | LIKELY)
@pytest.mark.parametrize("parser", TEXT_PARSERS)
def test_any_text_is_survived(parser: Callable[[str], Any], text: str) -> None:
    parser(text)


@given(value=JSON)
def test_any_json_is_survived(value: Any) -> None:
    text = json.dumps(value)
    windows.parse(text)
    gpu_apple.parse(text)
    tools.parse_cmake(text)
    tools.parse_vswhere(text)
    memory.parse_psutil(value)
    gpu.parse_nvml(value)


@given(cpus=st.sets(st.integers(0, 300)))
def test_cpu_lists(cpus: set[int]) -> None:
    assert topology.parse_cpu_list(",".join(map(str, sorted(cpus)))) == cpus
    assert topology.parse_cpu_list("0-3,8\n") == {0, 1, 2, 3, 8}
    assert topology.parse_cpu_list("0-99999999999") == set()


@given(
    features=st.sets(
        st.sampled_from(["sse3", "ssse3", "sse4_1", "sse4_2", "popcnt", "avx", "avx2", "bmi2"])
    ),
    vendor=st.sampled_from(["GenuineIntel", "AuthenticAMD", "", "CentaurHauls"]),
)
def test_a_microarchitecture_promises_nothing_that_the_flags_do_not(
    features: set[str], vendor: str
) -> None:
    from archspec.cpu import TARGETS

    base = set(TARGETS["nocona"].features) | features
    name, ancestors = microarch.best_match("x86_64", vendor, base)
    assert TARGETS[name].features <= base or name == "x86_64"
    assert set(ancestors) == {ancestor.name for ancestor in TARGETS[name].ancestors}


def test_a_masked_feature_lowers_the_microarchitecture() -> None:
    from archspec.cpu import TARGETS

    flags = set(TARGETS["sapphirerapids"].features)
    assert microarch.best_match("x86_64", "GenuineIntel", flags)[0] == "sapphirerapids"
    flags -= {"amx_tile", "amx_int8", "amx_bf16"}
    assert microarch.best_match("x86_64", "GenuineIntel", flags)[0] == "icelake"


@given(
    total=st.integers(1, 1 << 40),
    available=st.integers(0, 1 << 40),
    limits=st.lists(st.tuples(st.integers(0, 1 << 63), st.integers(0, 1 << 63)), max_size=4),
)
def test_limits_only_ever_lower(total: int, available: int, limits: list[tuple[int, int]]) -> None:
    told = Memory(total=total, available=min(total, available))
    cut = memory.within(
        told, [cgroup.MemoryLimit(limit, min(limit, free)) for limit, free in limits]
    )
    assert cut.total <= told.total
    assert cut.available <= min(told.available, cut.total)
    assert (cut.limited_by == "cgroup") == (cut.total < told.total)


def test_levels_of_a_group_go_up_to_the_mount() -> None:
    found = list(cgroup.levels(PurePosixPath("/sys/fs/cgroup"), "/a.slice/b.scope"))
    assert found == ["/sys/fs/cgroup/a.slice/b.scope", "/sys/fs/cgroup/a.slice", "/sys/fs/cgroup"]


@pytest.mark.parametrize(
    ("text", "quota"),
    [("200000 100000\n", 2.0), ("50000 100000", 0.5), ("max 100000", None), ("-1 100000", None)],
)
def test_quota(text: str, quota: float | None) -> None:
    assert cgroup.parse_quota(text) == quota


def test_group_version_1() -> None:
    text = "4:memory:/docker/x\n1:cpu,cpuacct:/docker/x\n0::/\n"
    assert cgroup.parse_groups(text) == {
        "memory": "/docker/x",
        "cpu": "/docker/x",
        "cpuacct": "/docker/x",
        "": "/",
    }


@pytest.mark.parametrize(
    ("name", "integrated"),
    [
        ("Intel(R) UHD Graphics 620", True),
        ("Intel(R) Iris(R) Xe Graphics", True),
        ("Intel(R) Arc(TM) Graphics", True),
        ("Intel(R) Arc(TM) 140T GPU (16GB)", True),
        ("Intel(R) Arc(TM) A770 Graphics", False),
        ("Intel(R) Arc(TM) B580 Graphics", False),
    ],
)
def test_which_intel_gpus_are_cards(name: str, integrated: bool) -> None:
    assert gpu_windows.is_integrated("intel", name, "8086:0000") is integrated


def test_32_bit_memory_size_is_not_believed() -> None:
    video = windows.Video(Name="Radeon RX 7600", AdapterRAM=4293918720, Id="VEN_1002&DEV_7480")
    capped = gpu_windows.gpu_of(video, None)
    told = gpu_windows.gpu_of(video, 8573157376)
    assert capped is not None
    assert told is not None
    assert (capped.memory, told.memory) == (None, 8573157376)


def test_pci_names_belong_to_their_vendor() -> None:
    text = "# x\n1002  AMD\n\t2684  Wrong\n10de  NVIDIA\n\t2684  AD102 [RTX 4090]\n\t\t1043 0 X\n"
    assert pci.parse_names(text, ["10de:2684"]) == {"10de:2684": "AD102 [RTX 4090]"}


def test_versions_of_tools() -> None:
    assert version_in("1.11.1.git.kitware.jobserver-1") == "1.11.1"
    assert version_in("git version 2.48.1.windows.1", "git version ") == "2.48.1"
    assert tools.compiler_version("14.43.34808") == "19.43.34808"
    apple = "Apple clang version 16.0.0 (clang-1600.0.26.6)\nTarget: arm64-apple-darwin24.3.0\n"
    assert tools.parse_clang(apple) == ("16.0.0", "arm64-apple-darwin24.3.0")
    assert tools.parse_cmake('CMake Warning: x\n{"version":{"string":"4.0.0-rc1"}}') == (
        "4.0.0",
        "",
    )
    assert tools.parse_cmake("{}") is None
