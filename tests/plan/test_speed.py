"""Speed estimates: ordered as the hardware is, and honest about how sure they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.catalog import load_catalog
from smolpc.detect import bandwidth
from smolpc.plan import speed
from smolpc.schema.host import Cpu, Gpu
from tests.machines import hosts

SPEEDS = load_catalog().speeds
HOSTS = hosts()


def rate(name: str, amount: int, *, gpu: bool = False) -> speed.Rate:
    host = HOSTS[name]
    reader = speed.cpu_reader(host.cpu, SPEEDS)
    if gpu:
        reader = speed.gpu_reader(host.gpus[0], speed.memory_reader(host.cpu, SPEEDS), SPEEDS)
    return speed.decode_rate([(amount, reader)], SPEEDS)


def test_faster_machines_come_out_faster() -> None:
    size = 4_683_073_536  # a 7B model in Q4_K_M
    order = [
        rate("ancient-core2-debian12", size),
        rate("windows-10-i3-4gb", size),
        rate("ryzen-5600g-radeon-ubuntu24", size),
        rate("laptop-ultra9-rtx4050-windows11", size),
        rate("laptop-ultra9-rtx4050-windows11", size, gpu=True),
        rate("zen4-7950x-rtx4090-ubuntu24", size, gpu=True),
    ]
    rates = [one.tokens_per_second for one in order]
    assert rates == sorted(rates)
    assert rates[0] < 1 < rates[2]
    assert all(one.low < one.tokens_per_second < one.high for one in order)
    assert [one.limit for one in order[:2]] == ["the processor"] * 2
    assert order[5].limit == "the memory of GeForce RTX 4090"


def test_a_special_name_wins_over_the_general_one() -> None:
    shared = speed.memory_reader(Cpu(arch="x86_64"), SPEEDS)

    def of(name: str) -> speed.Reader:
        return speed.gpu_reader(Gpu(vendor="nvidia", name=name, memory=1), shared, SPEEDS)

    assert of("NVIDIA GeForce RTX 4090 Laptop GPU").rate < of("NVIDIA GeForce RTX 4090").rate
    assert of("NVIDIA L4").rate < of("NVIDIA L40S").rate
    unknown = of("Frobnicator 9000")
    assert unknown.factor > of("NVIDIA GeForce RTX 4090").factor


def test_a_gpu_without_memory_of_its_own_reads_the_memory_of_the_pc() -> None:
    host = HOSTS["macbook-m3-macos15"]
    memory = speed.memory_reader(host.cpu, SPEEDS)
    assert speed.gpu_reader(host.gpus[0], memory, SPEEDS) == memory
    assert memory.rate > speed.cpu_reader(host.cpu, SPEEDS).rate  # four cores are slower


def test_a_measured_bandwidth_is_more_certain_than_a_table() -> None:
    cpu = HOSTS["ryzen-5600g-radeon-ubuntu24"].cpu
    measured = speed.cpu_reader(cpu, SPEEDS, measured=20e9)
    assert measured.rate == 20e9 * SPEEDS.copy_efficiency
    assert measured.factor < speed.cpu_reader(cpu, SPEEDS).factor
    unknown = Cpu(arch="x86_64", features=("avx2", "fma"), physical_cores=64, usable_cores=64)
    assert speed.cpu_reader(unknown, SPEEDS).factor > speed.cpu_reader(cpu, SPEEDS).factor


@given(st.integers(1, 10**12), st.integers(0, 10**12), st.floats(1e8, 1e13))
def test_more_bytes_never_make_it_faster(amount: int, more: int, per_second: float) -> None:
    reader = speed.Reader(rate=per_second, factor=2, limit="x")
    less = speed.decode_rate([(amount, reader)], SPEEDS)
    assert speed.decode_rate([(amount + more, reader)], SPEEDS).tokens_per_second <= (
        less.tokens_per_second
    )
    split = speed.decode_rate([(amount, reader), (more, reader)], SPEEDS).tokens_per_second
    together = speed.decode_rate([(amount + more, reader)], SPEEDS).tokens_per_second
    assert split == pytest.approx(together)


def test_every_device_of_the_table_can_be_reached() -> None:
    """An entry behind a more general one would never be used."""
    for table in (SPEEDS.gpus, SPEEDS.cpus):
        for entry in table:
            for piece in entry.match:
                assert speed._known(table, [piece]) == entry.gbps, piece


def test_the_bandwidth_of_this_machine_is_measured() -> None:
    assert 1e8 < bandwidth.measure() < 1e13
