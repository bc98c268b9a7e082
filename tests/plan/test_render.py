"""Rendering: explicit cache entries, presets that plain CMake accepts, toolchain files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jinja2
import pytest

from smolpc import proc
from smolpc.catalog import load_catalog
from smolpc.plan import render
from smolpc.plan.requirements import BuildTarget, build_target
from tests.plan.hosts import HOSTS

CATALOG = load_catalog()
RECIPE = CATALOG.engines["llama.cpp"]
CONCRETE = [name for name, profile in CATALOG.profiles.items() if not profile.abstract]


def target(name: str, host: str = "zen4") -> BuildTarget:
    return build_target(CATALOG.profiles[name], HOSTS[host], RECIPE)


@pytest.mark.parametrize("name", CONCRETE)
def test_every_switch_of_the_processor_family_is_on_or_off(name: str) -> None:
    goal = target(name)
    cache = render.cmake_cache(goal, RECIPE)
    assert cache["GGML_NATIVE"] == "OFF"
    for feature in RECIPE.features.values():
        if feature.arch and goal.arch not in feature.arch:
            continue
        for key, value in feature.cmake.items():
            if value == "ON":
                assert cache[key] in ("ON", "OFF")
    for feature_name in goal.features:
        assert RECIPE.features[feature_name].cmake.items() <= cache.items()


def test_an_x86_profile_turns_on_exactly_what_it_names() -> None:
    cache = render.cmake_cache(target("linux-x86_64-icelake"), RECIPE)
    isa = [
        key
        for feature in RECIPE.features.values()
        if "x86_64" in feature.arch
        for key in feature.cmake
    ]
    on = {key for key in isa if cache[key] == "ON"}
    assert on == {
        "GGML_SSE42", "GGML_AVX", "GGML_F16C", "GGML_FMA", "GGML_BMI2", "GGML_AVX2",
        "GGML_AVX512", "GGML_AVX512_VBMI", "GGML_AVX512_VNNI",
    }  # fmt: skip
    assert cache["CMAKE_INSTALL_RPATH"] == "$ORIGIN;$ORIGIN/../lib"
    assert cache["GGML_CUDA"] == cache["GGML_OPENMP"] == "OFF"
    assert "GGML_CPU_ARM_ARCH" not in cache


def test_an_arm_profile_has_one_march_and_no_x86_switch() -> None:
    cache = render.cmake_cache(target("linux-aarch64-i8mm", "graviton3"), RECIPE)
    assert cache["GGML_CPU_ARM_ARCH"].endswith("+i8mm")
    assert "GGML_AVX2" not in cache


def test_portable_builds_all_variants_as_plug_ins() -> None:
    cache = render.cmake_cache(target("linux-x86_64-portable"), RECIPE)
    assert cache["GGML_CPU_ALL_VARIANTS"] == cache["GGML_BACKEND_DL"] == "ON"
    assert cache["GGML_AVX2"] == "OFF"


def test_cuda_builds_for_the_named_architectures() -> None:
    cache = render.cmake_cache(target("linux-x86_64-cuda-ada", "rtx4060"), RECIPE)
    assert cache["CMAKE_CUDA_ARCHITECTURES"] == "89-real"
    assert cache["GGML_CUDA"] == "ON"
    generic = render.cmake_cache(target("linux-x86_64-cuda", "rtx4060"), RECIPE)
    assert generic["CMAKE_CUDA_ARCHITECTURES"] == "75-virtual;80-virtual;86-real;89-real"


def test_macos_uses_metal_accelerate_and_its_own_rpath() -> None:
    cache = render.cmake_cache(target("macos-arm64", "m1"), RECIPE)
    assert cache["GGML_METAL"] == cache["GGML_ACCELERATE"] == "ON"
    assert cache["CMAKE_INSTALL_RPATH"].startswith("@loader_path")
    intel = render.cmake_cache(target("macos-x86_64", "intel-mac"), RECIPE)
    assert intel["GGML_METAL"] == "OFF"


@pytest.mark.parametrize("name", CONCRETE)
def test_no_old_option_name_is_rendered(name: str) -> None:
    for key in render.cmake_cache(target(name), RECIPE):
        assert not re.match(r"LLAMA_(?!BUILD|USE_PREBUILT_UI|OPENSSL|LLGUIDANCE)", key), key


@pytest.mark.parametrize("name", CONCRETE)
def test_a_profile_of_another_system_is_rendered_for_that_system(name: str) -> None:
    match, goal = CATALOG.profiles[name].match, target(name)
    if CATALOG.profiles[name].build.system is None and match.os:
        assert goal.system in match.os
    text = render.presets(goal, RECIPE)
    (preset,) = json.loads(text)["configurePresets"]
    assert preset["name"] == name
    assert preset["cacheVariables"] == render.cmake_cache(goal, RECIPE)


def test_only_cross_profiles_have_a_toolchain_file() -> None:
    native = render.files(target("linux-x86_64-avx2"), RECIPE, CATALOG.template)
    assert list(native) == ["CMakePresets.json"]
    windows = render.files(target("cross-windows-x86_64-avx2"), RECIPE, CATALOG.template)
    assert set(windows) == {
        "CMakePresets.json", "toolchain-windows-x86_64.cmake", "mingw-compat.h",
    }  # fmt: skip
    toolchain = windows["toolchain-windows-x86_64.cmake"]
    assert "set(CMAKE_SYSTEM_NAME Windows)" in toolchain
    assert "set(prefix x86_64-w64-mingw32)" in toolchain
    arm = render.files(target("cross-linux-aarch64"), RECIPE, CATALOG.template)
    assert "set(prefix aarch64-linux-gnu)" in arm["toolchain-linux-aarch64.cmake"]
    assert "armv8.2-a+fp16+dotprod" in arm["CMakePresets.json"]


def test_an_undefined_name_in_a_template_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render.toolchain(target("cross-linux-aarch64"), lambda _: "{{ nothing }}")


@pytest.mark.integration
@pytest.mark.parametrize("name", CONCRETE)
def test_plain_cmake_lists_the_presets(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "größer als ein Wort"
    write(folder, name)
    done = proc.run(["cmake", "--list-presets"], cwd=folder)
    assert done.ok, done.output
    assert f'"{name}"' in done.output or CATALOG.profiles[name].match.os == ("windows",)


@pytest.mark.integration
def test_plain_cmake_configures_with_a_preset(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    write(folder, "linux-x86_64-icelake")
    done = proc.run(["cmake", "--preset", "linux-x86_64-icelake"], cwd=folder)
    assert done.ok, done.output
    cache = (folder / "build-linux-x86_64-icelake" / "CMakeCache.txt").read_text()
    for key, value in render.cmake_cache(target("linux-x86_64-icelake"), RECIPE).items():
        assert re.search(rf"^{key}:\w+={re.escape(value)}$", cache, re.MULTILINE), key


def write(folder: Path, name: str) -> None:
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.21)\nproject(tiny NONE)\n", encoding="utf-8"
    )
    for file, text in render.files(target(name), RECIPE, CATALOG.template).items():
        (folder / file).write_text(text, encoding="utf-8")
