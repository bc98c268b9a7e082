"""Which models, under which names, and how many at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smolpc.plan.fit import budget
from smolpc.schema.fit import (
    Choice,
    Device,
    DeviceUse,
    Estimate,
    FitSettings,
    Layer,
    Shape,
)
from smolpc.schema.running import RunSettings
from smolpc.schema.running_report import Running
from smolpc.serve import choosing

GB = 10**9
CPU = Device(name="CPU", kind="cpu", free=16 * GB, total=32 * GB)


def estimate(host: int, gpu: int = 0) -> Estimate:
    uses = [DeviceUse(device="CPU", weights=host)]
    uses += [DeviceUse(device="GPU0", weights=gpu)] if gpu else []
    return Estimate(settings=FitSettings(context=512), devices=tuple(uses), error=0.1)


def gpu(*, shared: bool) -> Device:
    return Device(name="GPU0", kind="gpu", free=8 * GB, total=8 * GB, shared=shared)


def test_models_that_fit_together_are_all_in_memory() -> None:
    assert choosing.together([estimate(GB), estimate(2 * GB)], [CPU]) == 2


def test_models_that_do_not_take_turns() -> None:
    assert choosing.together([estimate(10 * GB), estimate(9 * GB)], [CPU]) == 1


def test_a_gpu_fills_up_too() -> None:
    both = [estimate(GB, 5 * GB), estimate(GB, 5 * GB)]
    assert choosing.together(both, [CPU, gpu(shared=False)]) == 1


def test_a_gpu_without_own_memory_takes_the_hosts() -> None:
    models = [estimate(8 * GB), estimate(0, 3 * GB), estimate(0, 4 * GB)]
    assert choosing.together(models, [CPU, gpu(shared=False)]) == 3
    assert choosing.together(models, [CPU, gpu(shared=True)]) == 2


@given(st.lists(st.integers(0, 20 * GB), min_size=1, max_size=8))
def test_what_is_loaded_together_fits(sizes: list[int]) -> None:
    count = choosing.together([estimate(size) for size in sizes], [CPU])
    free = budget.room([CPU], spare=True)["CPU"]
    assert count == 1 or sum(sizes[:count]) <= free
    assert count == len(sizes) or sum(sizes[: count + 1]) > free


def running(memory: FitSettings) -> Running:
    return Running(
        settings=RunSettings(memory=memory, threads=2),
        choice=Choice(verdict="fits", estimate=estimate(GB), needs=(), why=""),
        reasons=(),
    )


SHAPE = Shape(
    architecture="llama",
    layers=(Layer(weights=50_000_000, heads=8, kv_heads=8, key_length=64, value_length=64),) * 20,
    token_embedding=30_000_000,
    output=30_000_000,
    embedding=512,
    vocabulary=32_000,
    trained_context=8192,
)


@given(st.integers(1, 8), st.integers(512, 8192), st.integers(1 * GB, 64 * GB))
def test_each_answer_has_the_whole_context_or_as_much_as_fits(
    parallel: int, context: int, free: int
) -> None:
    host = Device(name="CPU", kind="cpu", free=free, total=64 * GB)
    alone = running(FitSettings(context=context))
    made = choosing.shared(SHAPE, [host], alone, parallel)
    if made is None:
        return
    memory = made.estimate.settings
    assert memory.sequences == parallel
    assert memory.prompt_cache > 0
    assert memory.context // parallel <= context + 256  # contexts are padded
    assert memory.context // parallel >= 256
    assert made.estimate.total <= free


def test_more_memory_gives_every_answer_the_whole_context() -> None:
    host = Device(name="CPU", kind="cpu", free=64 * GB, total=64 * GB)
    made = choosing.shared(SHAPE, [host], running(FitSettings(context=8192)), 8)
    assert made is not None
    assert made.estimate.settings.context == 8 * 8192
