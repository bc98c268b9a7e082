"""The best settings: they fit, and more memory never makes them worse."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolpc.plan import fit
from smolpc.plan.fit import budget
from smolpc.plan.fit.cache import loadable
from smolpc.schema.fit import Choice, Device, DeviceKind, Shape
from tests.plan.fit.residuals import synthetic

GB = 10**9
NAMES = (
    "qwen2-0.5b-q4_k_m",
    "qwen2-7b-q4_k_m",
    "gemma3-1b-q4_k_m",
    "gpt-oss-20b-mxfp4",
    "deepseek2-lite-q4_k_m",
    "granite-h-350m-q4_k_m",
)
SHAPES = st.sampled_from(NAMES).map(lambda name: synthetic()[name])
AMOUNTS = st.floats(0.2, 40).map(lambda gigabytes: int(gigabytes * GB))
VERDICTS = ("fits", "tight", "does-not-fit")


def machine(
    cpu: int, *gpus: int, shared: bool = False, kind: DeviceKind = "cuda"
) -> tuple[Device, ...]:
    """Devices whose total does not change with what is free: margins stay the same."""
    total = 64 * GB
    return (
        Device(name="CPU", kind="cpu", free=cpu, total=total),
        *(
            Device(name=f"GPU{number}", kind=kind, free=free, total=total, shared=shared)
            for number, free in enumerate(gpus)
        ),
    )


def rank(choice: Choice, shape: Shape) -> tuple[int, ...]:
    """Smaller is better, in the documented order."""
    used = choice.estimate.settings
    if choice.verdict == "does-not-fit":
        return (2,)
    floor = used.context < fit.FLOOR if choice.verdict == "tight" else 0
    return (
        VERDICTS.index(choice.verdict),
        int(floor),
        -used.gpu_layers,
        used.cpu_experts,
        -used.ubatch,
        -used.context,
    )


@settings(max_examples=60)
@given(SHAPES, AMOUNTS, AMOUNTS, st.lists(st.tuples(AMOUNTS, AMOUNTS), max_size=2))
def test_more_memory_never_gives_a_worse_choice(
    shape: Shape, one: int, other: int, gpus: list[tuple[int, int]]
) -> None:
    low = fit.best(shape, machine(min(one, other), *(min(pair) for pair in gpus)))
    high = fit.best(shape, machine(max(one, other), *(max(pair) for pair in gpus)))
    assert rank(high, shape) <= rank(low, shape)


@settings(max_examples=60)
@given(SHAPES, AMOUNTS, st.lists(AMOUNTS, max_size=2), st.booleans())
def test_what_is_chosen_fits_and_loads(
    shape: Shape, cpu: int, gpus: list[int], shared: bool
) -> None:
    devices = machine(cpu, *gpus, shared=shared)
    choice = fit.best(shape, devices, kv_types=("f16", "q8_0"))
    made = choice.estimate
    assert not loadable(shape, made.settings)
    assert made.settings.context <= shape.trained_context
    missing = budget.short(made, devices, budget.room(devices, spare=choice.verdict == "fits"))
    assert (missing > 0) == (choice.verdict == "does-not-fit")
    used = [d for d in devices if d.name in {use.device for use in made.devices}]
    again = fit.estimate(shape, made.settings, used)
    assert again.devices == made.devices, "the settings alone give the same estimate"


@settings(max_examples=40)
@given(SHAPES, AMOUNTS)
def test_the_margin_stays_free(shape: Shape, cpu: int) -> None:
    choice = fit.best(shape, machine(cpu))
    for need in choice.needs:
        if choice.verdict == "fits":
            assert need.needs <= need.has - need.margin


def test_context_is_given_up_before_layers() -> None:
    shape = synthetic()["qwen2-7b-q4_k_m"]
    roomy = fit.best(shape, machine(32 * GB, 24 * GB)).estimate.settings
    close = fit.best(shape, machine(32 * GB, 6 * GB)).estimate.settings
    assert (roomy.gpu_layers, roomy.context) == (29, 32768)
    assert close.gpu_layers == 29
    assert fit.FLOOR <= close.context < 32768


def test_experts_go_to_the_cpu_before_whole_layers() -> None:
    shape = synthetic()["qwen3moe-30b-a3b-q4_k_m"]
    chosen = fit.best(shape, machine(32 * GB, 8 * GB)).estimate.settings
    assert chosen.gpu_layers == 49
    assert 0 < chosen.cpu_experts < 48


def test_a_dense_model_leaves_layers_on_the_cpu() -> None:
    choice = fit.best(synthetic()["qwen2-14b-q8_0"], machine(32 * GB, 8 * GB))
    assert 0 < choice.estimate.settings.gpu_layers < 49
    assert "of 49 layers run on the GPU" in choice.why


def test_the_cache_is_quantized_only_when_that_is_allowed() -> None:
    shape = synthetic()["qwen2-14b-q4_k_m"]
    tight = machine(13_300_000_000)
    plain = fit.best(shape, tight, wish_context=8192, min_context=8192)
    packed = fit.best(shape, tight, wish_context=8192, min_context=8192, kv_types=("f16", "q8_0"))
    assert plain.estimate.settings.kv_type == "f16"
    assert plain.verdict != "fits"
    assert (packed.verdict, packed.estimate.settings.kv_type) == ("fits", "q8_0")


def test_a_shared_gpu_takes_the_memory_of_the_host() -> None:
    shape = synthetic()["qwen2-7b-q4_k_m"]
    assert fit.best(shape, machine(4 * GB, 4 * GB, shared=True)).verdict == "does-not-fit"
    assert fit.best(shape, machine(4 * GB, 4 * GB)).verdict != "does-not-fit"


def test_two_small_gpus_hold_what_one_cannot() -> None:
    shape = synthetic()["qwen2-7b-q4_k_m"]
    choice = fit.best(shape, machine(16 * GB, 4 * GB, 4 * GB))
    assert choice.estimate.settings.gpu_layers == 29
    assert sum(choice.estimate.settings.split) == 29


def test_a_useless_gpu_is_left_out() -> None:
    choice = fit.best(synthetic()["qwen2-7b-q4_k_m"], machine(16 * GB, GB // 2))
    assert choice.verdict == "fits"
    assert [use.device for use in choice.estimate.devices] == ["CPU"]


@pytest.mark.parametrize(("cpu", "words"), [(1, "even with 512"), (6, "more than that"), (30, "")])
def test_the_reason_is_one_sentence_with_the_numbers(cpu: int, words: str) -> None:
    choice = fit.best(synthetic()["qwen2-7b-q4_k_m"], machine(cpu * GB))
    assert words in choice.why
    assert "\n" not in choice.why


def test_fixed_layers_and_context_are_kept() -> None:
    shape = synthetic()["qwen2-7b-q4_k_m"]
    choice = fit.best(
        shape,
        machine(16 * GB, 4 * GB),
        wish_context=16384,
        min_context=16384,
        least_context=16384,
        gpu_layers=29,
    )
    assert choice.verdict == "does-not-fit"
    assert choice.estimate.settings.context == 16384
    assert choice.estimate.settings.gpu_layers == 29
