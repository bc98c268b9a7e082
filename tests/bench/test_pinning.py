"""Chosen processors: read as people write them, and given back afterwards."""

from __future__ import annotations

from typing import ClassVar

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.bench import pinning
from smolpc.bench.pinning import pinned, processors_in
from smolpc.detect.libraries import affinity
from smolpc.errors import UsageError


@pytest.mark.parametrize(
    ("text", "found"),
    [("0-3,6", (0, 1, 2, 3, 6)), (" 2 , 0 ", (0, 2)), ("1,1-2", (1, 2)), ("", ())],
)
def test_processors_as_people_write_them(text: str, found: tuple[int, ...]) -> None:
    assert processors_in(text) == found


@pytest.mark.parametrize("text", ["a", "3-1", "-1", "0-99999", "1;2"])
def test_what_names_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no processors"):
        processors_in(text)


@given(st.sets(st.integers(0, 200), min_size=1))
def test_any_set_is_read_back(numbers: set[int]) -> None:
    assert processors_in(",".join(map(str, numbers))) == tuple(sorted(numbers))


class Process:
    """One of a system with two processors."""

    now: ClassVar[list[int]] = [0, 1]

    def cpu_affinity(self, wanted: list[int] | None = None) -> list[int]:
        if wanted is not None:
            if not set(wanted) <= {0, 1}:
                raise ValueError("invalid CPU")
            Process.now = wanted
        return Process.now


def test_it_holds_inside_and_ends_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinning.psutil, "Process", Process)
    with pytest.raises(KeyboardInterrupt), pinned((1,)):
        assert (Process.now, affinity()) == ([1], 1)
        raise KeyboardInterrupt
    assert (Process.now, affinity()) == ([0, 1], 2)
    with pinned(()):
        assert affinity() == 2
    with pytest.raises(UsageError, match="no processors 7"), pinned((7,)):
        pass


def test_where_the_system_has_no_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinning.psutil, "Process", object)
    assert affinity() == psutil.cpu_count()
    with pytest.raises(UsageError, match="cannot be kept"), pinned((0,)):
        pass
