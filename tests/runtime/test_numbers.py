"""numpy is imported for one thread, and the environment stays as it was."""

from __future__ import annotations

import os
import sys

import pytest

from smolpc.runtime import numbers
from smolpc.runtime.numbers import BLAS_THREADS, numpy_meanwhile


@pytest.mark.parametrize(("said", "seen"), [(None, "1"), ("3", "3")])
def test_what_the_user_says_about_threads_stays(
    said: str | None, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported_with: list[str | None] = []
    monkeypatch.setattr(numbers, "_numpy", lambda: imported_with.append(os.getenv(BLAS_THREADS)))
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    monkeypatch.delenv(BLAS_THREADS, raising=False)
    if said is not None:
        monkeypatch.setenv(BLAS_THREADS, said)
    with numpy_meanwhile():
        pass
    assert imported_with == [seen]
    assert os.getenv(BLAS_THREADS) == said
