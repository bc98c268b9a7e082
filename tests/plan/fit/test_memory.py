"""Estimates: what follows from more context, more layers on a GPU, other caches."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.errors import UsageError
from smolpc.plan import fit
from smolpc.schema.fit import FitSettings, Shape
from tests.plan.fit.residuals import devices, synthetic

NAMES = sorted(synthetic())
SHAPES = st.sampled_from(NAMES).map(lambda name: synthetic()[name])
# fewer than 32 tokens are not worth sending to a GPU: the engine then works on the CPU
CONTEXTS = st.integers(512, 200_000)
FLASH = st.sampled_from(("on", "off"))


@given(SHAPES, CONTEXTS, CONTEXTS, FLASH, st.sampled_from((32, 128, 512)), st.integers(0, 70))
def test_more_context_never_needs_less(
    shape: Shape, one: int, other: int, flash: str, ubatch: int, gpu_layers: int
) -> None:
    low, high = sorted((one, other))
    made = [
        fit.estimate(
            shape,
            FitSettings(context=context, flash=flash, ubatch=ubatch, gpu_layers=gpu_layers),  # type: ignore[arg-type]
            devices(1),
        )
        for context in (low, high)
    ]
    for less, more in zip(made[0].devices, made[1].devices, strict=True):
        assert less.total <= more.total


@given(SHAPES, st.integers(0, 70), st.integers(1, 3), st.integers(0, 70))
def test_layers_move_their_bytes_and_none_is_lost(
    shape: Shape, gpu_layers: int, gpus: int, cpu_experts: int
) -> None:
    alone = fit.estimate(shape, FitSettings(context=8192), devices(0))
    settings = FitSettings(context=8192, gpu_layers=gpu_layers, cpu_experts=cpu_experts)
    made = fit.estimate(shape, settings, devices(gpus))
    assert sum(use.kv for use in made.devices) == alone.devices[0].kv
    copied = shape.output if shape.tied and gpu_layers else 0
    assert sum(use.weights for use in made.devices) == alone.devices[0].weights + copied


@given(SHAPES, st.integers(0, 69))
def test_one_more_layer_on_the_gpu_frees_the_cpu(shape: Shape, gpu_layers: int) -> None:
    made = [
        fit.estimate(shape, FitSettings(context=4096, gpu_layers=count), devices(1))
        for count in (gpu_layers, gpu_layers + 1)
    ]
    assert made[0].devices[0].weights >= made[1].devices[0].weights
    assert made[0].devices[1].weights <= made[1].devices[1].weights


def test_the_first_layer_on_the_gpu_is_the_output() -> None:
    shape = synthetic()["qwen2-7b-q4_k_m"]
    made = fit.estimate(shape, FitSettings(context=4096, gpu_layers=1), devices(1))
    assert made.devices[1].weights == shape.output + shape.output_extra
    assert made.devices[1].kv == 0


def test_the_embedding_never_leaves_the_cpu() -> None:
    shape = synthetic()["qwen2-7b-q4_k_m"]
    made = fit.estimate(shape, FitSettings(context=4096, gpu_layers=99), devices(1))
    assert made.devices[0].weights == shape.token_embedding


def test_a_window_costs_the_same_however_long_the_context() -> None:
    shape = synthetic()["gemma3-1b-q4_k_m"]
    caches = [
        fit.estimate(shape, FitSettings(context=context, full_window=full), devices(0))
        .devices[0]
        .kv
        for context, full in ((8192, False), (16384, False), (8192, True), (16384, True))
    ]
    full_layers = 8192 * 4 * 256 * 2 * 2  # four layers, F16 keys and values
    assert caches[1] - caches[0] == full_layers
    assert caches[3] == 2 * caches[2]


def test_a_quantized_cache_is_smaller_by_its_block() -> None:
    shape = synthetic()["qwen2-7b-q4_k_m"]
    plain, packed = (
        fit.estimate(shape, FitSettings(context=8192, kv_type=kind), devices(0)).devices[0].kv
        for kind in ("f16", "q8_0")
    )
    assert packed / plain == pytest.approx(34 / 64)


def test_the_state_of_a_recurrent_model_does_not_grow() -> None:
    shape = synthetic()["mamba2-1.3b-q4_k_m"]
    short, long = (
        fit.estimate(shape, FitSettings(context=context), devices(0)) for context in (2048, 200_000)
    )
    assert short.total == long.total


ARMS = (("x86_64", 0), ("aarch64", 1))


@pytest.mark.parametrize(("arch", "copies"), ARMS)
def test_a_tied_output_is_copied_where_the_cpu_repacks_it(arch: str, copies: int) -> None:
    shape = synthetic()["llama3.2-1b-q4_k_m"]  # Q6_K, which only ARM repacks
    (cpu,) = devices(0)
    made = fit.estimate(shape, FitSettings(context=4096), [msgspec.structs.replace(cpu, arch=arch)])
    assert made.devices[0].weights == shape.weights + copies * shape.output


@pytest.mark.parametrize(
    "settings",
    [
        FitSettings(context=4096, kv_type="q8_0", flash="off"),
        FitSettings(context=4096, kv_type="no_such_type"),
    ],
)
def test_what_the_engine_refuses_is_refused(settings: FitSettings) -> None:
    with pytest.raises(UsageError):
        fit.estimate(synthetic()["qwen2-7b-q4_k_m"], settings, devices(0))


def test_a_prompt_cache_is_counted_and_more_context_than_trained_is_said() -> None:
    shape = synthetic()["qwen2-0.5b-q4_k_m"]
    plain = fit.estimate(shape, FitSettings(context=4096), devices(0))
    cached = fit.estimate(shape, FitSettings(context=4096, prompt_cache=10**9), devices(0))
    assert cached.total - plain.total == 10**9
    long = fit.estimate(shape, FitSettings(context=65536), devices(0))
    assert any("trained for 32768" in note for note in long.notes)


def test_the_uncertainty_depends_on_what_is_known() -> None:
    dense, moe = synthetic()["qwen2-7b-q4_k_m"], synthetic()["qwen3moe-30b-a3b-q4_k_m"]
    guessed = msgspec.structs.replace(dense, exact=False)
    strange = msgspec.structs.replace(moe, modelled=False)
    errors = [
        fit.estimate(shape, FitSettings(context=4096), devices(0)).error
        for shape in (dense, moe, guessed, strange)
    ]
    assert errors == pytest.approx([0.05, 0.10, 0.10, 0.25])
