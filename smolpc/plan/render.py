"""From a profile and a recipe to what CMake reads: cache entries, presets, toolchain. Pure.

The files can be used by hand: `cmake --preset NAME` works on them without smolpc.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from smolpc.plan.requirements import BuildTarget, is_cross
from smolpc.schema.engine import EngineRecipe

PRESETS = "CMakePresets.json"
PRESETS_VERSION = 3  # understood by CMake 3.21 and later
COMPAT_HEADER = "mingw-compat.h"
COMPILERS = {"gcc": ("gcc", "g++"), "clang": ("clang", "clang++"), "msvc": ("cl", "cl")}


def cmake_cache(target: BuildTarget, recipe: EngineRecipe) -> dict[str, str]:
    """The CMake cache entries of a build, in the recipe's order.

    Every switch that a feature of the target's processor family turns on is named, as ON
    or as OFF, so that the result depends on no default of CMake, compiler or machine.
    """
    entries = {**recipe.cmake, **recipe.platform_cmake.get(target.system, {})}
    for feature in recipe.features.values():
        if not feature.arch or target.arch in feature.arch:
            for key, value in feature.cmake.items():
                if value == "ON":
                    entries.setdefault(key, "OFF")
    for name in target.features:
        entries.update(recipe.features[name].cmake)
    architectures = target.profile.build.gpu_architectures
    if architectures:
        entries["CMAKE_CUDA_ARCHITECTURES"] = ";".join(architectures)
    return entries


def toolchain_name(target: BuildTarget) -> str | None:
    """The file name of the toolchain file, or None where the machine builds for itself."""
    if not is_cross(target.profile):
        return None
    return f"toolchain-{target.system}-{target.arch}.cmake"


def presets(target: BuildTarget, recipe: EngineRecipe) -> str:
    """The text of a CMakePresets.json with one configure and one build preset, both named
    like the profile. The build folder is `build-<name>` beside the file."""
    profile = target.profile
    compilers = COMPILERS.get(profile.build.compiler)
    entries = cmake_cache(target, recipe)
    if compilers:
        entries["CMAKE_C_COMPILER"], entries["CMAKE_CXX_COMPILER"] = compilers
    configure: dict[str, Any] = {
        "name": profile.name,
        "displayName": profile.name,
        "description": profile.summary,
        "generator": "Ninja",
        "binaryDir": "${sourceDir}/build-" + profile.name,
        "cacheVariables": entries,
    }
    toolchain_file = toolchain_name(target)
    if toolchain_file:
        configure["toolchainFile"] = "${sourceDir}/" + toolchain_file
    elif target.system == "windows":
        # Ninja takes the compiler from the environment: IDEs must set one up for x64.
        configure["architecture"] = {"value": "x64", "strategy": "external"}
    build = {
        "name": profile.name,
        "configurePreset": profile.name,
        "targets": list(recipe.targets),
    }
    data = {
        "version": PRESETS_VERSION,
        "cmakeMinimumRequired": {"major": 3, "minor": 21, "patch": 0},
        "configurePresets": [configure],
        "buildPresets": [build],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def toolchain(target: BuildTarget, template: Callable[[str], str]) -> str | None:
    """The text of the CMake toolchain file of a cross build, else None.

    `template` gives the text of a template by name (`Catalog.template`).
    """
    if not is_cross(target.profile):
        return None
    context = {
        "profile": target.profile.name,
        "system": target.system,
        "arch": target.arch,
        "compat_header": COMPAT_HEADER,
    }
    return _jinja(template("toolchain.cmake"), context)


def files(
    target: BuildTarget, recipe: EngineRecipe, template: Callable[[str], str]
) -> dict[str, str]:
    """File name -> text of everything that `cmake --preset` needs for the profile."""
    rendered = {PRESETS: presets(target, recipe)}
    name, text = toolchain_name(target), toolchain(target, template)
    if name and text:
        rendered[name] = text
        if target.system == "windows":
            rendered[COMPAT_HEADER] = template(COMPAT_HEADER)
    return rendered


def _jinja(text: str, context: Mapping[str, Any]) -> str:
    import jinja2

    environment = jinja2.Environment(  # noqa: S701 - the output is CMake, not HTML
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(text).render(context)
