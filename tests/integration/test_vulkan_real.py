"""Partial and full offload on a real Vulkan device: Mesa's llvmpipe, which every PC can have.

The engine is built by `smolpc setup` with the profile for the software device. It takes as long
as another engine, so it needs a word: TEST_SMOLPC_VULKAN_SDK, a Vulkan SDK to build with
(`scripts/vulkan_test_sdk.sh` makes one), or TEST_SMOLPC_VULKAN_STORE, a store that has it.

The processor rounds what it multiplies with quantized weights to 8 bits; llvmpipe does not. So
the two differ on the same file, and which of them is right is shown with the same weights as
32-bit numbers, where the processor rounds nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from smolpc.schema.artifact import Artifact
from smolpc.schema.report import SetupReport
from smolpc.store import Store, artifacts
from tests.integration.conftest import ROOT, Provisioned, environment, run_smolpc

pytestmark = pytest.mark.integration

PROFILE = "linux-x86_64-vulkan-software"
SOFTWARE = {"GGML_VK_VISIBLE_DEVICES": "0"}  # the engine leaves llvmpipe out unless it is named
LAYERS = 31  # 30 and the output
CASES: dict[str, dict[str, Any]] = {
    "processor": {"devices": [], "layers": 0},
    "partial": {"devices": ["Vulkan0"], "layers": 10},
    "full": {"devices": ["Vulkan0"], "layers": 99},
}


@pytest.fixture(scope="module")
def vulkan(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Provisioned:
    given, sdk = (os.environ.get(f"TEST_SMOLPC_VULKAN_{name}") for name in ("STORE", "SDK"))
    if not given and not sdk:
        pytest.skip("neither TEST_SMOLPC_VULKAN_SDK nor TEST_SMOLPC_VULKAN_STORE is set")
    root = Path(given) if given else tmp_path_factory.mktemp("vulkan store ü")
    if not given:  # the source and the model are there already
        provisioned: Provisioned = request.getfixturevalue("provisioned")
        for name in ("sources", "models", "tools"):
            if (folder := provisioned.store.root / name).is_dir():
                shutil.copytree(folder, root / name, copy_function=os.link, symlinks=True)
    env = {"SMOLPC_STORE": str(root), "SMOLPC_PROFILE": PROFILE, **SOFTWARE}
    env |= {"VULKAN_SDK": sdk} if sdk else {}
    done = run_smolpc("setup", "--json", env=env, timeout=3600)
    assert done.returncode == 0, done.stderr + done.stdout
    return Provisioned(Store(root), msgspec.json.decode(done.stdout, type=SetupReport))


@pytest.fixture(scope="module")
def manifest(vulkan: Provisioned) -> Artifact:
    return artifacts.read(vulkan.artifact)


def run_cases(
    vulkan: Provisioned,
    manifest: Artifact,
    cases: list[dict[str, Any]],
    env: Mapping[str, str] = SOFTWARE,
    model: Path | None = None,
) -> list[dict[str, Any]]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.integration.offload_child"),
            *(
                str(vulkan.artifact),
                manifest.lib_dir,
                str(model or vulkan.model),
                json.dumps(cases),
            ),
        ],
        env=environment(env),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def results(vulkan: Provisioned, manifest: Artifact) -> dict[str, dict[str, Any]]:
    return dict(zip(CASES, run_cases(vulkan, manifest, list(CASES.values())), strict=True))


def test_the_layers_are_where_they_were_asked_for(results: dict[str, dict[str, Any]]) -> None:
    assert results["processor"]["layers"] == {"CPU": LAYERS}
    assert results["partial"]["layers"] == {"CPU": LAYERS - 10, "Vulkan0": 10}
    assert results["full"]["layers"] == {"Vulkan0": LAYERS}
    weights = [results[name]["weights"] for name in CASES]
    assert 0 == weights[0] < weights[1] < weights[2]


@pytest.fixture(scope="module")
def unrounded(vulkan: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same weights as 32-bit numbers: 0.5 GB."""
    path = tmp_path_factory.mktemp("unrounded") / "f32.gguf"
    quantize = [str(vulkan.artifact / "bin" / "llama-quantize"), "--allow-requantize"]
    subprocess.run(
        [*quantize, str(vulkan.model), str(path), "F32"], check=True, capture_output=True
    )
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def exact(vulkan: Provisioned, manifest: Artifact, unrounded: Path) -> dict[str, Any]:
    (result,) = run_cases(vulkan, manifest, [CASES["processor"]], model=unrounded)
    return result


def test_the_same_greedy_text_as_the_processor_without_rounding(
    results: dict[str, dict[str, Any]], exact: dict[str, Any]
) -> None:
    """With a part on the device the processor rounds what it computes of the rest, in another
    way on every kind of processor."""
    assert len(exact["tokens"]) == 32
    assert results["full"]["text"] == exact["text"]
    require_as_good(exact, results["partial"])


@pytest.mark.parametrize("name", ["partial", "full"])
def test_the_rounding_processor_differs_only_where_two_tokens_are_as_good(
    results: dict[str, dict[str, Any]], name: str
) -> None:
    require_as_good(results["processor"], results[name])


def require_as_good(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """The same tokens, up to a place where two of them are as good."""
    pairs = zip(ours["tokens"], theirs["tokens"], strict=True)
    same = next((n for n, (a, b) in enumerate(pairs) if a != b), None)
    if same is not None:
        row = ours["logits"][same]
        assert max(row) - row[theirs["tokens"][same]] < difference(row, theirs["logits"][same])


def test_logits_agree(results: dict[str, dict[str, Any]], exact: dict[str, Any]) -> None:
    """Without the processor's rounding within 2 % of their spread; layers on the device bring
    the rest nearer, never further away."""
    errors = {name: difference(results[name]["logits"][0], exact["logits"][0]) for name in CASES}
    print(f"largest difference of a logit, of {spread(exact['logits'][0]):.2f}: {errors}")
    assert errors["full"] < 0.02 * spread(exact["logits"][0])
    assert errors["partial"] < 1.1 * errors["processor"]


def difference(ours: list[float], theirs: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(ours, theirs, strict=True))


def spread(logits: list[float]) -> float:
    """Their standard deviation."""
    mean = sum(logits) / len(logits)
    return float((sum((x - mean) ** 2 for x in logits) / len(logits)) ** 0.5)


def test_memory_that_does_not_suffice_means_fewer_layers_and_is_said(
    vulkan: Provisioned, unrounded: Path
) -> None:
    """Really refused by the device: the process may take less memory than all layers need."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.integration.short_memory_child"),
            *(str(vulkan.artifact), str(unrounded), "900"),
        ],
        # One arena: otherwise every thread of the driver reserves address space, and that counts.
        env=environment({**SOFTWARE, "MALLOC_ARENA_MAX": "1"}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert 0 < result["gpu_layers"] < LAYERS
    assert result["placement"]["Vulkan0"] == result["gpu_layers"]
    assert "too little free memory for all layers" in result["notes"][0]
    assert result["text"]


def test_a_device_that_is_not_there_is_an_error(vulkan: Provisioned, manifest: Artifact) -> None:
    with pytest.raises(AssertionError, match="the engine has no device Vulkan1"):
        run_cases(vulkan, manifest, [{"devices": ["Vulkan1"], "layers": 10}])


def test_a_software_device_is_not_used_unless_it_is_named(
    vulkan: Provisioned, manifest: Artifact
) -> None:
    with pytest.raises(AssertionError, match=r"no device Vulkan0 \(it has CPU\)"):
        run_cases(vulkan, manifest, [CASES["partial"]], env={})
