"""The devices of recorded machines."""

from __future__ import annotations

import pytest

from smolpc.plan import fit
from tests.machines import hosts


def shown(name: str, backends: tuple[str, ...] | None = None) -> list[tuple[str, str, bool]]:
    found = fit.devices_of(hosts()[name], backends)
    return [(device.name, device.kind, device.shared) for device in found]


@pytest.mark.parametrize(
    ("name", "gpus"),
    [
        ("cloud-xeon-icelake-debian12", []),
        ("zen4-7950x-rtx4090-ubuntu24", [("CUDA0", "cuda", False)]),
        ("macbook-m3-macos15", [("MTL0", "metal", True)]),
    ],
)
def test_the_gpus_that_an_engine_can_use(name: str, gpus: list[tuple[str, str, bool]]) -> None:
    assert shown(name) == [("CPU", "cpu", False), *gpus]


def test_an_engine_without_gpu_backends_uses_the_cpu_alone() -> None:
    assert shown("zen4-7950x-rtx4090-ubuntu24", ("cpu",)) == [("CPU", "cpu", False)]


@pytest.mark.parametrize("name", sorted(hosts()))
def test_no_device_has_more_free_than_it_has(name: str) -> None:
    found = fit.devices_of(hosts()[name])
    assert [device.kind for device in found].count("cpu") == 1
    assert len({device.name for device in found}) == len(found)
    for device in found:
        assert 0 <= device.free <= device.total
