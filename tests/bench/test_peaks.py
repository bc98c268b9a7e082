"""What is measured and derived, and how that is said."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.bench.limit import matrices, memory
from smolpc.bench.limit.instructions import derived
from smolpc.bench.limit.peaks import Measured
from smolpc.bench.limit.words import notes, number, sentence
from smolpc.errors import Interrupted
from smolpc.schema.host import Host
from smolpc.schema.limit import Limit, MatrixRate, MemoryRate, Work
from tests.machines import hosts

HOSTS = hosts()
GIB = 1 << 30


@pytest.mark.parametrize(
    ("features", "half", "integer"),
    [
        (("asimd", "asimddp", "asimdhp", "i8mm", "bf16"), 4, 8),
        (("asimd", "asimddp", "asimdhp"), 2, 4),
        (("asimd",), 1, 1),
        (("avx2", "avx512_vnni", "avx512_bf16"), 2, 4),
        (("avx2", "avx_vnni", "fma"), 1, 4),
        (("avx2", "fma"), 1, 2),
        ((), 1, 1),
    ],
)
def test_derived_peaks(features: tuple[str, ...], half: float, integer: float) -> None:
    found = derived(1e11, features, "scipy-openblas 0.3")
    assert [one.operations for one in found] == [half * 1e11, integer * 1e11]
    assert all(one.why for one in found)


def test_nothing_is_derived_from_a_unit_beside_the_cores() -> None:
    for one in derived(1e12, ("asimddp", "i8mm"), "accelerate"):
        assert (one.operations, one.factor) == (1e12, 1)


@given(st.integers(0, 8 * GIB), st.integers(0, 1 << 40))
def test_the_buffer_is_larger_than_the_cache_where_memory_allows(cache: int, free: int) -> None:
    size = memory.buffer_size(cache, free)
    assert memory.BLOCK <= size <= memory.MOST
    assert size <= max(memory.BLOCK, free // 4)
    if free >= memory.LEAST * 4 and cache * 16 <= free and cache * 4 <= memory.MOST:
        assert memory.shows_memory(size, cache)


def test_this_machine_is_measured() -> None:
    found = memory.measure(8 << 20, [1, 2], seconds=0.02)
    assert 1e8 < found.median <= found.best < 1e13
    assert (found.buffer, found.threads in (1, 2)) == (8 << 20, True)
    assert found.rounds >= memory.FEWEST


@pytest.mark.parametrize("size", [1, 5000, (4 << 20) + 4])
def test_odd_buffers_are_measured(size: int) -> None:
    found = memory.measure(size, [1], seconds=0)
    assert found.buffer == size


def test_matrices_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrices, "SIZES", (64, 128))
    found = matrices.measure(threads=2, seconds=0.01)
    assert 1e7 < found.median <= found.best < 1e15
    assert found.size in (64, 128)
    assert found.rounds >= 2
    assert matrices.operations(128) == 2 * 128**3


def test_measuring_can_be_interrupted() -> None:
    def stop() -> None:
        raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        memory.measure(1 << 20, [2], seconds=60, check=stop)
    with pytest.raises(Interrupted):
        matrices.measure(threads=2, seconds=60, check=stop)


def measured(**changes: object) -> Measured:
    half, integer = derived(1e11, ("avx2",))
    usual = Measured(
        memory=MemoryRate(best=20e9, median=19e9, buffer=GIB, threads=4, rounds=9),
        near=None,
        matrices=MatrixRate(
            best=1e11, median=1e11, size=2048, cores=64, rounds=9, library="openblas"
        ),
        half=half,
        integer=integer,
        cache=32 << 20,
        others=0.0,
        stolen=0.0,
    )
    return msgspec.structs.replace(usual, **changes)


def said(one: Measured, host: Host = HOSTS["raspberry-pi5-debian12"]) -> str:
    return "; ".join(notes(one, host, 10**8))


def test_a_quiet_machine_needs_only_one_note() -> None:
    assert len(list(notes(measured(), HOSTS["raspberry-pi5-debian12"], 10**8))) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"others": 0.7}, "other programs used 0.7 cores"),
        ({"others": None}, "does not say how busy"),
        ({"stolen": 0.4}, "took 0.4 cores away"),
        ({"cache": 0}, "cache is not known"),
        ({"cache": GIB}, "only 1.1 GB could be read"),
        ({"memory": MemoryRate(best=20e9, median=10e9, buffer=GIB, threads=4, rounds=9)}, "vary"),
        ({"near": MemoryRate(best=50e9, median=5e10, buffer=1, threads=4, rounds=9)}, "50.0 GB/s"),
        (
            {"matrices": MatrixRate(best=1, median=1, size=1, cores=1, rounds=1, library="")},
            "kept 1 of 4 processors busy",
        ),
    ],
    ids=str,
)
def test_what_makes_it_less_sure_is_said(changes: dict[str, object], words: str) -> None:
    assert words in said(measured(**changes))


def test_gpus_and_amx_are_named_as_not_counted() -> None:
    assert "GeForce RTX 4090" in said(measured(), HOSTS["zen4-7950x-rtx4090-ubuntu24"])
    assert "AMX" in said(measured(), HOSTS["sapphire-rapids-server"])


def test_the_sentence_is_about_the_empty_context() -> None:
    def one(stage: str, depth: int, rate: float) -> Limit:
        return Limit(
            work=Work(stage=stage, depth=depth, bytes=1),  # type: ignore[arg-type]
            rate=rate,
            limited_by="arithmetic" if stage == "prefill" else "memory bandwidth",
            memory_seconds=1,
            arithmetic_seconds=1,
        )

    rows = [one("decode", 0, 84.4), one("decode", 9, 1), one("prefill", 0, 1250.3)]
    text = sentence([*rows, one("prefill", 9, 1)])
    assert "at most 84 tokens a second (the limit is memory bandwidth)" in text
    assert "at most 1250 (the limit is arithmetic)" in text
    assert number(7.26) == "7.3"
