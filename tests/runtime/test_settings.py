"""Threads and context: what is chosen, and what is said about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.runtime.settings import DEFAULT_CONTEXT, default_threads, fit_context
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
    assert default_threads(cpu) == threads


@given(st.none() | st.integers(1, 1 << 20), st.integers(1, 1 << 20))
def test_context_is_never_more_than_trained_and_every_cut_is_said(
    asked: int | None, trained: int
) -> None:
    context, note = fit_context(asked, trained)
    assert 1 <= context <= trained
    wanted = trained if asked is None else asked
    assert (context < wanted) == bool(note)


def test_the_default_context_is_bounded() -> None:
    assert fit_context(None, 32768)[0] == DEFAULT_CONTEXT
    assert fit_context(None, 2048) == (2048, "")
