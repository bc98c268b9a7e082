"""What a build takes grows with what is built."""

from __future__ import annotations

import msgspec

from smolpc.catalog import load_catalog
from smolpc.plan.cost import Cost, build_cost
from smolpc.plan.requirements import build_target
from tests.machines import hosts

CATALOG = load_catalog()
RECIPE = CATALOG.engines["llama.cpp"]
HOST = hosts()["zen4-7950x-rtx4090-ubuntu24"]


def cost(name: str, *architectures: str, fetched: bool = False) -> Cost:
    profile = CATALOG.profiles[name]
    if architectures:
        build = msgspec.structs.replace(profile.build, gpu_architectures=architectures)
        profile = msgspec.structs.replace(profile, build=build)
    parts = [CATALOG.tools["nvcc"]] if fetched else []
    return build_cost(build_target(profile, HOST, RECIPE), RECIPE, parts)


def test_every_part_is_counted() -> None:
    plain, every_cpu = cost("linux-x86_64-avx2"), cost("linux-x86_64-portable")
    assert plain.seconds == RECIPE.seconds_per_core
    assert plain.artifact_bytes == RECIPE.artifact_bytes
    cuda = cost("linux-x86_64-cuda-ada")
    several = cost("linux-x86_64-cuda-ada", "86-real", "89-real", "90-real")
    assert plain.seconds < every_cpu.seconds < cuda.seconds / 3
    assert several.seconds > cuda.seconds + 4000
    assert plain.build_bytes < every_cpu.build_bytes < cuda.build_bytes
    shipped = cost("linux-x86_64-cuda-ada", fetched=True).artifact_bytes
    assert shipped - cuda.artifact_bytes == CATALOG.tools["nvcc"].runtime_bytes > 600e6
