"""A measurement on chosen processors: "0-3" leaves the others to the rest of the PC."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import psutil

from smolpc.errors import UsageError

MOST = 4096


def processors_in(text: str) -> tuple[int, ...]:
    """The numbers in a text such as "0-3,6", each once. Raises UsageError."""
    found: set[int] = set()
    try:
        for part in filter(None, map(str.strip, text.split(","))):
            first, _, last = part.partition("-")
            low, high = int(first), int(last or first)
            if not 0 <= low <= high < MOST:
                raise ValueError
            found.update(range(low, high + 1))
    except ValueError:
        raise UsageError(
            f"'{text}' names no processors",
            why="they are numbers from 0 and ranges of them, such as 0-3,6",
            next_step="smolpc bench --pin 0-3",
        ) from None
    return tuple(sorted(found))


@contextlib.contextmanager
def pinned(processors: Sequence[int]) -> Iterator[None]:
    """This process and all that it starts use these processors only; (): all, as before.

    Raises UsageError where the system cannot do that, or has no such processor.
    """
    if not processors:
        yield
        return
    process = psutil.Process()
    if not hasattr(process, "cpu_affinity"):
        raise UsageError(
            "programs cannot be kept on chosen processors here",
            why="this operating system has no way for it",
            next_step="smolpc bench   (without --pin)",
        )
    before = process.cpu_affinity()
    try:
        process.cpu_affinity(list(processors))
    except (ValueError, OSError, psutil.Error) as error:
        raise UsageError(
            f"there are no processors {','.join(map(str, processors))} for this program",
            why=f"it may use {','.join(map(str, before))}",
            next_step="smolpc bench   (without --pin)",
        ) from error
    try:
        yield
    finally:
        process.cpu_affinity(before)
