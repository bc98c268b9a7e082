"""The parts of a build that need no compiler."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.build import compile as compiling
from smolpc.build import configure, package, toolbox
from smolpc.build.file_api import Reply
from smolpc.catalog import load_catalog
from smolpc.errors import BuildError, PrerequisiteError
from smolpc.plan.requirements import build_target
from smolpc.plan.spec import build_spec
from smolpc.plan.toolchain import choose
from smolpc.schema.host import Host, Memory, Tool
from smolpc.store import Store
from tests.machines import hosts
from tests.plan.test_spec import BASE

CATALOG = load_catalog()
RECIPE = CATALOG.engines["llama.cpp"]
HOST = hosts()["cloud-xeon-icelake-debian12"]


def with_memory(gigabytes: float, cores: float) -> Host:
    return msgspec.structs.replace(
        HOST,
        memory=Memory(total=10**12, available=int(gigabytes * 10**9)),
        cpu=msgspec.structs.replace(HOST.cpu, usable_cores=cores),
    )


@given(st.floats(0, 512), st.floats(0.1, 256))
def test_jobs_never_exceed_cores_or_memory(gigabytes: float, cores: float) -> None:
    jobs = compiling.jobs_for(with_memory(gigabytes, cores), 0)
    assert 1 <= jobs <= max(1, cores + 1)
    assert jobs == 1 or jobs * compiling.MEMORY_PER_JOB <= gigabytes * 10**9


def test_the_wish_for_jobs_wins() -> None:
    assert compiling.jobs_for(with_memory(1, 1), 7) == 7


def test_what_would_change_the_bytes_is_removed_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("CFLAGS", "CC", "CPATH", "LD_PRELOAD", "NVCC_APPEND_FLAGS", "SOMETHING_NEW")
    for name in names:
        monkeypatch.setenv(name, "x")
    toolchain = choose(HOST, build_target(CATALOG.profiles["native"], HOST, RECIPE), CATALOG.tools)
    env = configure.environment(toolchain, tmp_path / "source", tmp_path / "build")
    assert all(env[name] is None for name in names)
    assert "PATH" not in env, "it stays as it is"
    assert env["SOURCE_DATE_EPOCH"]


def test_cmake_is_told_where_the_vulkan_sdk_is(tmp_path: Path) -> None:
    """One that is only unpacked is found through this variable alone."""
    sdk = Tool(name="vulkan-sdk", path="/home/anna/sdk/x86_64/bin/glslc", version="1.4.309")
    host = msgspec.structs.replace(HOST, tools=(*HOST.tools, sdk))
    target = build_target(CATALOG.profiles["linux-x86_64-vulkan"], host, RECIPE)
    toolchain = choose(host, target, CATALOG.tools)
    env = configure.environment(toolchain, tmp_path / "source", tmp_path / "build")
    assert env["VULKAN_SDK"] == "/home/anna/sdk/x86_64"


def test_a_kit_is_fetched_named_to_cmake_and_shipped(tmp_path: Path) -> None:
    target = build_target(CATALOG.profiles["linux-x86_64-openvino"], HOST, RECIPE)
    toolchain = choose(HOST, target, CATALOG.tools)
    (kit,) = toolchain.kits
    assert kit in toolchain.fetched
    assert build_spec(RECIPE, target, toolchain, HOST).sdks["openvino"] == kit.version
    recipe, store = CATALOG.tools["openvino"], Store(tmp_path / "store")
    path = toolbox.program(store, recipe, HOST)
    found = toolchain.found(
        msgspec.structs.replace(kit, path=str(path)), toolbox.places(store, recipe)
    )
    assert found.fetched == ()
    entries = configure.local_entries(found, tmp_path / "source", tmp_path / "build")
    assert entries["OpenVINO_DIR"] == path.parent.as_posix()
    for name in (*recipe.runtime, *recipe.licenses):
        file = toolbox.folder_of(store, recipe) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    spec = msgspec.structs.replace(BASE, cmake={"GGML_BACKEND_DL": "ON"})
    package.add_parts(tmp_path / "artifact", spec, recipe, toolbox.folder_of(store, recipe))
    assert (tmp_path / "artifact/bin/libopenvino.so.2641").is_file()
    assert (tmp_path / "artifact/licenses/openvino/LICENSE").is_file()


def test_a_tree_counts_as_configured_only_for_its_key(tmp_path: Path) -> None:
    assert configure.configured_for(tmp_path) == ""
    (tmp_path / configure.CONFIGURED).write_text("abc digest")
    assert configure.configured_for(tmp_path) == "abc"


def write_reply(build: Path) -> None:
    """A file API reply of three targets; `app` depends on `core`, `other` on nothing."""
    folder = build / ".cmake/api/v1/reply"
    folder.mkdir(parents=True)

    def write(name: str, data: object) -> None:
        (folder / name).write_text(json.dumps(data))

    kinds = {"app": "EXECUTABLE", "core": "SHARED_LIBRARY", "other": "EXECUTABLE"}
    disk = {"app": "app.exe", "core": "core.dll", "other": "other"}
    write(
        "index-1.json",
        {"objects": [{"kind": k, "jsonFile": f"{k}.json"} for k in ("codemodel", "cache")]},
    )
    write(
        "codemodel.json",
        {
            "configurations": [
                {
                    "targets": [
                        {"name": n, "id": f"{n}::1", "jsonFile": f"t-{n}.json"} for n in kinds
                    ]
                }
            ]
        },
    )
    for name, kind in kinds.items():
        write(
            f"t-{name}.json",
            {
                "type": kind,
                "nameOnDisk": disk[name],
                "artifacts": [{"path": f"bin/{disk[name]}"}, {"path": f"lib/{name}.lib"}],
                "dependencies": [{"id": "core::1"}] if name == "app" else [],
            },
        )
    write(
        "cache.json",
        {
            "entries": [
                {"name": "GGML_AVX2", "value": "ON", "type": "BOOL"},
                {"name": "CMAKE_INTERNAL", "value": "x", "type": "INTERNAL"},
            ]
        },
    )


def test_products_are_the_targets_and_what_they_depend_on(tmp_path: Path) -> None:
    write_reply(tmp_path)
    found = {path.name: kind for path, kind in Reply(tmp_path).products(["app"]).items()}
    assert found == {"app.exe": "EXECUTABLE", "core.dll": "SHARED_LIBRARY"}
    assert [path.name for path in Reply(tmp_path).products(["app"], ["core"])] == ["app.exe"]
    assert Reply(tmp_path).cache() == {"GGML_AVX2": "ON"}


def test_a_build_tree_without_a_reply_is_a_build_error(tmp_path: Path) -> None:
    with pytest.raises(BuildError):
        Reply(tmp_path)


def test_libraries_lie_beside_programs_where_the_loader_needs_it() -> None:
    def folder(**changes: object) -> str:
        return package.lib_dir(msgspec.structs.replace(BASE, **changes))

    assert folder() == "lib"
    assert folder(triple="x86_64-windows-ucrt") == "bin"
    assert folder(cmake={"GGML_BACKEND_DL": "ON"}) == "bin"


def test_requirements_are_the_features_that_were_built() -> None:
    avx2 = build_target(CATALOG.profiles["linux-x86_64-avx2"], HOST, RECIPE)
    assert {"avx2", "fma", "f16c"} <= set(package.requirements(BASE, avx2, RECIPE).cpu_features)
    portable = build_target(CATALOG.profiles["linux-x86_64-portable"], HOST, RECIPE)
    assert package.requirements(BASE, portable, RECIPE).cpu_features == ()


# -- tools ------------------------------------------------------------------------------


def without(host: Host, *names: str) -> Host:
    return msgspec.structs.replace(
        host, tools=tuple(tool for tool in host.tools if tool.name not in names)
    )


def test_missing_cmake_and_ninja_are_fetched(tmp_path: Path) -> None:
    bare = without(HOST, "cmake", "ninja")
    target = build_target(CATALOG.profiles["native"], bare, RECIPE)
    toolchain = choose(bare, target, CATALOG.tools)
    assert [tool.name for tool in toolchain.fetched] == ["cmake", "ninja"]
    path = toolbox.program(Store(tmp_path), CATALOG.tools["cmake"], bare)
    assert path.relative_to(tmp_path).parts[0] == "tools"


def test_an_old_cmake_is_not_used() -> None:
    tools = tuple(
        msgspec.structs.replace(tool, version="3.10.2") if tool.name == "cmake" else tool
        for tool in HOST.tools
    )
    old = msgspec.structs.replace(HOST, tools=tools)
    target = build_target(CATALOG.profiles["native"], old, RECIPE)
    assert choose(old, target, CATALOG.tools).cmake.path == ""


@pytest.mark.parametrize("name", sorted(hosts()))
def test_a_machine_builds_or_says_what_to_install(name: str) -> None:
    host = hosts()[name]
    profile = CATALOG.profiles["native"]
    try:
        toolchain = choose(host, build_target(profile, host, RECIPE), CATALOG.tools)
    except PrerequisiteError as error:
        assert error.next_step.endswith("smolpc setup")
    else:
        assert toolchain.c.path
        assert toolchain.cxx.path


def test_every_pinned_tool_has_a_wheel_for_every_supported_machine() -> None:
    for host in hosts().values():
        for recipe in CATALOG.tools.values():
            assert recipe.runtime or recipe.wheels_for(host)  # what is shipped is for some
