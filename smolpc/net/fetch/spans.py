"""Which bytes of a file are there: sorted, disjoint, half-open spans [start, end)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Spans:
    """A set of byte positions, kept as few spans. Not thread-safe."""

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in spans:
            self.add(start, end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._starts, self._ends, strict=True)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spans) and list(self) == list(other)

    def __bool__(self) -> bool:
        return bool(self._starts)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Spans({list(self)})"

    @property
    def total(self) -> int:
        """Bytes in all spans."""
        return sum(self._ends) - sum(self._starts)

    def add(self, start: int, end: int) -> None:
        if start >= end:
            return
        low = bisect_left(self._ends, start)  # the first span that touches or follows
        high = bisect_right(self._starts, end)  # the first span beyond
        if low < high:
            start = min(start, self._starts[low])
            end = max(end, self._ends[high - 1])
        self._starts[low:high] = [start]
        self._ends[low:high] = [end]

    def remove(self, start: int, end: int) -> None:
        if start >= end:
            return
        kept: list[tuple[int, int]] = []
        low = bisect_right(self._ends, start)
        high = bisect_left(self._starts, end)
        for index in range(low, high):
            kept.append((self._starts[index], min(self._ends[index], start)))
            kept.append((max(self._starts[index], end), self._ends[index]))
        kept = [(first, last) for first, last in kept if first < last]
        self._starts[low:high] = [first for first, _ in kept]
        self._ends[low:high] = [last for _, last in kept]

    def clear(self) -> None:
        self._starts.clear()
        self._ends.clear()

    def copy(self) -> Spans:
        made = Spans()
        made._starts, made._ends = self._starts.copy(), self._ends.copy()
        return made

    def minus(self, other: Spans) -> Spans:
        made = self.copy()
        for start, end in other:
            made.remove(start, end)
        return made

    def reach(self, position: int) -> int:
        """The end of the unbroken bytes from `position` on; `position` if it is missing."""
        index = bisect_right(self._starts, position) - 1
        return max(position, self._ends[index]) if index >= 0 else position

    def holds(self, start: int, end: int) -> bool:
        return self.reach(start) >= end

    def gaps(self, end: int) -> Iterator[tuple[int, int]]:
        """The missing spans of [0, end), in order."""
        position = 0
        for start, stop in self:
            if start >= end:
                break
            if position < start:
                yield position, start
            position = stop
        if position < end:
            yield position, end

    def within(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The spans cut to [start, end)."""
        index = bisect_right(self._ends, start)
        while index < len(self._starts) and self._starts[index] < end:
            yield max(self._starts[index], start), min(self._ends[index], end)
            index += 1
