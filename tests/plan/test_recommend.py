"""Recommendations on every recorded machine: sensible, explained, never worse with more memory."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smolpc.catalog import load_catalog
from smolpc.errors import NoProfileError, PrerequisiteError
from smolpc.plan.fit import devices_of
from smolpc.plan.recommend import best_of, machine, one_each, patience, quality, recommend
from smolpc.plan.select import select
from smolpc.schema.host import Gpu, Host
from smolpc.schema.recommendation import Purpose, Recommendation
from tests.machines import hosts

CATALOG = load_catalog()
ENGINE = CATALOG.engine("llama.cpp")
HOSTS = hosts()
GB = 10**9


def backends(host: Host) -> tuple[str, ...]:
    try:
        return select(CATALOG.profiles, host, ENGINE).profile.build.backends
    except (NoProfileError, PrerequisiteError):
        return ("cpu",)


def ranked(
    host: Host,
    purpose: Purpose = "code",
    *,
    disk_free: int = 10**12,
    engine: tuple[str, ...] | None = None,
    licenses: tuple[str, ...] = (),
    installed: tuple[str, ...] = (),
    measured: float | None = None,
    models: Iterable[str] = tuple(CATALOG.models),
) -> tuple[Recommendation, ...]:
    here = machine(
        host,
        devices_of(host, engine or backends(host)),
        CATALOG.speeds,
        disk_free=disk_free,
        installed=installed,
        measured=measured,
    )
    return recommend(
        [CATALOG.models[model] for model in models],
        here,
        CATALOG.speeds,
        purpose,
        architectures=ENGINE.architectures,
        licenses=licenses,
    )


@pytest.mark.parametrize("purpose", ["code", "chat"])
@pytest.mark.parametrize("name", sorted(HOSTS))
def test_every_machine_gets_an_explained_answer(name: str, purpose: Purpose) -> None:
    rows = ranked(HOSTS[name], purpose)
    assert len(rows) > 5
    for row in rows:
        assert row.why
        assert row.needs
        assert 0 < row.rate_low < row.rate < row.rate_high
        if row.mark == "fits":
            assert all(need.needs + need.margin <= need.has for need in row.needs)
    marks = [row.mark == "does-not-fit" for row in rows]
    assert marks == sorted(marks)  # what does not fit comes last
    first = rows[0]
    assert best_of(rows) == first.model
    manifest = CATALOG.models[first.model]
    assert manifest.architecture is not None
    assert manifest.architecture.name in ENGINE.architectures
    assert not manifest.file.unverified
    assert first.settings.context >= min(4096, manifest.context_length)


def test_what_a_person_would_choose() -> None:
    best = {name: ranked(host)[0] for name, host in HOSTS.items()}
    workstation = best["zen4-7950x-rtx4090-ubuntu24"]
    assert workstation.parameters > 14 * GB
    assert workstation.rate > 30
    tiny = best["ancient-core2-debian12"]
    assert tiny.parameters < 1 * GB  # a 7B model would give less than one token a second
    laptop = best["ryzen-5600g-radeon-ubuntu24"]
    assert 1 * GB < laptop.parameters < 8 * GB
    assert all(row.rate > 1 for row in best.values())


@pytest.mark.parametrize("name", sorted(HOSTS))
def test_the_best_is_not_the_largest_that_crawls(name: str) -> None:
    """With all the memory in the world a slow machine still gets a model it can talk with."""
    host = HOSTS[name]
    endless = msgspec.structs.replace(host.memory, total=512 * GB, available=500 * GB)
    rows = ranked(msgspec.structs.replace(host, memory=endless))
    assert rows[0].rate >= 2


SEVERAL = (  # of every kind: tiny, windowed, dense, experts
    "smollm2-135m-instruct-q4_k_m",
    "gemma-3-1b-it-q4_k_m",
    "qwen2.5-coder-1.5b-instruct-q8_0",
    "qwen2.5-coder-7b-instruct-q4_k_m",
    "qwen2.5-coder-14b-instruct-q4_k_m",
    "qwen3-coder-30b-a3b-instruct-q4_k_m",
)
CARDS = ("NVIDIA GeForce RTX 4090", "NVIDIA GeForce GTX 1050", "NVIDIA Unheard-of 1")


@given(
    name=st.sampled_from(sorted(HOSTS)),
    purpose=st.sampled_from(["code", "chat"]),
    total=st.integers(1 * GB, 128 * GB),
    more=st.integers(0, 64 * GB),
    cards=st.lists(
        st.tuples(st.sampled_from(CARDS), st.integers(1 * GB, 48 * GB), st.integers(0, 32 * GB)),
        max_size=2,
    ),
    measured=st.none() | st.floats(5e9, 500e9),
)
@example(  # with a margin it fits beside the GPU only; without one the GPU is used
    name="ancient-core2-debian12",
    purpose="chat",
    total=1_236_219_377,
    more=810_188_623,
    cards=[("NVIDIA GeForce RTX 4090", 1_038_376_343, 0)],
    measured=None,
)
@settings(max_examples=15)  # each costs a quarter of a second
def test_more_memory_never_gives_a_worse_recommendation(
    name: str,
    purpose: Purpose,
    total: int,
    more: int,
    cards: list[tuple[str, int, int]],
    measured: float | None,
) -> None:
    def best_with(memory: int, sizes: list[int]) -> Recommendation:
        host = HOSTS[name]
        known = msgspec.structs.replace(host.memory, total=memory, available=memory * 4 // 5)
        gpus = tuple(
            Gpu(vendor="nvidia", name=card, memory=size, vulkan=True)
            for (card, _, _), size in zip(cards, sizes, strict=True)
        )
        made = msgspec.structs.replace(host, memory=known, gpus=gpus or host.gpus)
        engine = ("cpu", "cuda") if gpus else backends(host)
        return ranked(made, purpose, engine=engine, measured=measured, models=SEVERAL)[0]

    before = best_with(total, [size for _, size, _ in cards])
    after = best_with(total + more, [size + extra for _, size, extra in cards])
    if before.mark != "does-not-fit":
        assert after.mark != "does-not-fit"
        assert after.score >= before.score - 1e-9


def test_what_cannot_be_used_is_not_ranked() -> None:
    host = HOSTS["zen4-7950x-rtx4090-ubuntu24"]
    names = {row.model for row in ranked(host, "chat")}
    unverified = {name for name, model in CATALOG.models.items() if model.file.unverified}
    assert unverified
    assert not names & unverified
    allowed = ranked(host, "chat", licenses=("apache-2.0",))
    assert {row.license for row in allowed} == {"Apache-2.0"}
    vague = msgspec.structs.replace(CATALOG.models["qwen3-8b-q4_k_m"], parameters=0)
    here = machine(host, devices_of(host, ("cpu",)), CATALOG.speeds, disk_free=10**12)
    assert recommend([vague], here, CATALOG.speeds, "chat") == ()
    only = recommend(CATALOG.models.values(), here, CATALOG.speeds, "chat", architectures=["llama"])
    kinds = {CATALOG.models[row.model].architecture for row in only}
    assert {kind.name for kind in kinds if kind} == {"llama"}


def test_a_full_disk_counts_unless_the_model_is_here() -> None:
    host = HOSTS["zen4-7950x-rtx4090-ubuntu24"]
    rows = ranked(host, disk_free=1 * GB)
    first = rows[0]
    assert first.disk_needed <= 1 * GB
    large = next(row for row in rows if row.disk_needed > 1 * GB)
    assert large.mark == "does-not-fit"
    assert "the disk" in large.why
    digest = CATALOG.models[large.model].sha256
    again = {row.model: row for row in ranked(host, disk_free=1 * GB, installed=(digest,))}
    assert again[large.model].mark != "does-not-fit" or "disk" not in again[large.model].why


def test_no_gpu_backend_means_no_gpu() -> None:
    host = HOSTS["zen4-7950x-rtx4090-ubuntu24"]
    assert {need.device for row in ranked(host, engine=("cpu",)) for need in row.needs} == {"CPU"}
    with_gpu = ranked(host, engine=("cpu", "cuda"))[0]
    assert with_gpu.settings.gpu_layers > 0
    assert with_gpu.rate > ranked(host, engine=("cpu",))[0].rate


def test_one_row_for_each_model() -> None:
    rows = ranked(HOSTS["zen4-7950x-rtx4090-ubuntu24"])
    shown = one_each(rows)
    assert shown[0] == rows[0]
    keys = [(row.family, row.parameters) for row in shown]
    assert len(keys) == len(set(keys)) < len(rows)


@given(st.floats(0.01, 1000), st.floats(0.01, 1000))
def test_waiting_costs_more_the_slower_it_is(one: float, other: float) -> None:
    slow, quick = sorted((one, other))
    assert patience(slow) >= patience(quick) >= 0


def test_bits_and_purpose_count() -> None:
    q4 = CATALOG.models["qwen2.5-coder-7b-instruct-q4_k_m"]
    small = CATALOG.models["qwen2.5-coder-3b-instruct-q8_0"]
    general = CATALOG.models["qwen3-8b-q4_k_m"]
    assert quality(q4, "code") > quality(small, "code")
    assert quality(q4, "code") > quality(general, "code")
    assert quality(general, "chat") > quality(q4, "chat")
