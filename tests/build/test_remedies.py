"""A failed build says what it means and what to type next."""

from __future__ import annotations

import pytest

from smolpc.build.remedies import explain
from smolpc.errors import SmolpcError


@pytest.mark.parametrize(
    ("output", "code", "said"),
    [
        ("c++: fatal error: Killed signal terminated program cc1plus", 7, "SMOLPC_JOBS=1"),
        ("fatal error: error writing to x.o: No space left on device", 6, "free some space"),
        ("#error -- unsupported GNU version! gcc versions later than 12", 7, "g++"),
        ("nvcc fatal   : Unsupported gpu architecture 'compute_120a'", 3, "CUDA_PATH"),
        ("CMake Error: No CMAKE_CXX_COMPILER could be found.", 3, "smolpc doctor"),
        (
            "CMake Error: Could not find a package configuration file provided by"
            ' "SPIRV-Headers" with any',
            3,
            "spirv-headers",
        ),
        (
            'Target "ggml-cuda" links to:\n\n    CUDA::cublas\n\n  but the target was not found.',
            3,
            "libcublas-dev",
        ),
        ("error: ‘LayerSettingEXT’ is not a member of ‘vk’", 3, "VULKAN_SDK"),
        ("error: no type named 'LayerSettingEXT' in namespace 'vk'", 3, "VULKAN_SDK"),
        ("x.cpp:1:1: error: expected ';'", 7, "read the log"),
    ],
)
def test_known_causes_have_a_remedy(output: str, code: int, said: str) -> None:
    error = explain("compiling the engine", output, "/logs/build.log")
    assert isinstance(error, SmolpcError)
    assert error.code == code
    assert said in error.next_step
    assert "/logs/build.log" in error.why


def test_an_unknown_cause_shows_the_first_failure_not_the_last_lines() -> None:
    noise = "\n".join(f"[{n}/99] Building" for n in range(50))
    output = f"{noise}\nFAILED: x.o\nx.cpp:7:1: error: the reason\n{noise}"
    error = explain("compiling the engine", output, "log")
    assert "x.cpp:7:1: error: the reason" in error.why
    assert len(error.why.splitlines()) < 25
