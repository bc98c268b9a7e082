"""Threads: real cores that this process may use."""

from __future__ import annotations

import pytest

from smolpc.plan.cores import default_threads, most_threads, why_default
from smolpc.schema.host import Cpu


@pytest.mark.parametrize(
    ("cpu", "threads"),
    [
        (Cpu(arch="x86_64", physical_cores=8, logical_cores=16, usable_cores=16), 8),
        (Cpu(arch="x86_64", physical_cores=14, performance_cores=6, usable_cores=20), 6),
        (Cpu(arch="x86_64", physical_cores=32, logical_cores=64, usable_cores=3.5), 3),
        (Cpu(arch="x86_64", physical_cores=4, logical_cores=4, usable_cores=0.5), 1),
    ],
)
def test_threads_are_usable_real_cores(cpu: Cpu, threads: int) -> None:
    assert default_threads(cpu) == threads <= most_threads(cpu)
    assert why_default(cpu)
