"""Who fetches which bytes. One lock guards everything that streams share.

Work is handed out from the front, so that the hash, which must go in order, stays close
behind the streams: with n streams a request is worth about PACE seconds of one stream, and
smaller towards the end of the file, so that all finish together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from smolpc.net.fetch.mirror import Mirror
from smolpc.net.fetch.spans import Spans

ENDLESS = 1 << 62  # the end of a file whose size is not known
SMALLEST = 1 << 20  # bytes; below that a request costs more than it brings
LARGEST = 64 << 20
PACE = 2.0  # seconds
TELL = 1 << 20  # bytes after which the hash is woken: each time costs a change of threads


@dataclass(eq=False)
class Claim:
    """One stream's exclusive task: the bytes [position, end) of the file.

    `held`: up to here bytes are being written; `logged`: up to here they are in the state
    file. `version`: of the mirror's file, see `Mirror.version`.
    """

    position: int
    end: int
    mirror: Mirror
    version: int = field(init=False)
    held: int = field(init=False)
    logged: int = field(init=False)

    def __post_init__(self) -> None:
        self.held = self.logged = self.position
        self.version = self.mirror.version


class Board:
    """`log(mirror, start, end)` is told which bytes are in the part file, at the latest when
    a stream has completed half a chunk. Methods take the lock themselves (it is reentrant).
    """

    def __init__(self, size: int | None, chunk: int, log: Callable[[int, int, int], None]) -> None:
        self.size, self.chunk, self.log = size, chunk, log
        self.lock = threading.RLock()
        self.work = threading.Condition(self.lock)  # something to do, or to look at
        self.arrived = threading.Condition(self.lock)  # more bytes, or bytes taken back
        self.done = Spans()
        self.by: dict[int, Spans] = {}  # the same bytes by the mirror they came from
        self.claims: set[Claim] = set()
        self.bad: dict[int, frozenset[int]] = {}  # start of a wrong chunk -> mirrors to avoid
        self.taken_back = 0  # how often bytes stopped being done
        self.answers = 0  # how many answers the bytes come from

    @property
    def end(self) -> int:
        return ENDLESS if self.size is None else self.size

    @property
    def smallest(self) -> int:
        return min(SMALLEST, self.chunk)

    @property
    def complete(self) -> bool:
        with self.lock:
            return self.size is not None and self.done.holds(0, self.size)

    @property
    def left(self) -> int | None:
        """Bytes that are missing; None when the size is not known."""
        with self.lock:
            return None if self.size is None else self.size - self.done.total

    def restore(self, by: dict[int, Spans]) -> None:
        """What an earlier run left."""
        with self.lock:
            for mirror, spans in by.items():
                for start, end in spans:
                    self._mark(mirror, start, end)
            self.answers = int(bool(self.done))

    def claim(
        self, streams: int, rate: float, pick: Callable[[frozenset[int]], Mirror]
    ) -> Claim | None:
        """A piece for one of `streams` streams that together get `rate` bytes a second; None:
        nothing is left that would be worth another request. `pick` gets the mirrors whose
        bytes were wrong for this piece, and says whom to ask."""
        with self.lock:
            free = self._first_free()
            if free is None:
                free = self._split(streams, rate) if streams > 1 else None
            if free is None:
                return None
            start, end = free
            length = self._length(streams, rate)
            if length < end - start:
                end = min(end, -(-(start + length) // self.smallest) * self.smallest)
            end, avoid = self._same_avoid(start, end)
            made = Claim(start, end, pick(avoid))
            self.claims.add(made)
            return made

    def _first_free(self) -> tuple[int, int] | None:
        busy = self.done
        if self.claims:
            busy = self.done.copy()
            for claim in self.claims:
                busy.add(claim.position, claim.end)
        return next(busy.gaps(self.end), None)

    def _length(self, streams: int, rate: float) -> int:
        if streams <= 1 or self.size is None:
            return ENDLESS
        pace = min(max(int(rate / streams * PACE), self.chunk), LARGEST)
        fair = (self.size - self.done.total) // (2 * streams)
        return max(min(pace, fair), self.smallest)

    def _split(self, streams: int, rate: float) -> tuple[int, int] | None:
        """Cut the largest running claim; its stream keeps the front."""
        largest = max(
            self.claims,
            key=lambda claim: (claim.end - claim.held, -claim.position),  # a tie: the front
            default=None,
        )
        if largest is None or self.size is None:
            return None
        spare = largest.end - largest.held
        if spare < 2 * self.smallest:
            return None
        cut = largest.held + min(spare // 2, self._length(streams, rate))
        end, largest.end = largest.end, cut
        return cut, end

    def _same_avoid(self, start: int, end: int) -> tuple[int, frozenset[int]]:
        """Wrong chunks are fetched by themselves, from other mirrors."""
        end = min((chunk for chunk in self.bad if start < chunk < end), default=end)
        return end, self.bad.get(start, frozenset())

    def hold(self, claim: Claim, count: int) -> int:
        """Reserve the next `count` bytes of the claim for writing; how many it still has."""
        with self.lock:
            granted = min(count, claim.end - claim.position)
            claim.held = claim.position + granted
            return granted

    def advance(self, claim: Claim, count: int) -> bool:
        """`count` held bytes are written. False: the claim's file is of another version now,
        and they do not count."""
        with self.lock:
            mirror = claim.mirror
            if claim.version != mirror.version:
                return False
            self._mark(mirror.index, claim.position, claim.position + count)
            claim.position += count
            mirror.received += count
            if claim.position - claim.logged >= self.chunk // 2:
                self._log(claim)
            if claim.position >= claim.end or claim.position % TELL < count:
                self.arrived.notify_all()
            return True

    def _mark(self, mirror: int, start: int, end: int) -> None:
        self.done.add(start, end)
        self.by.setdefault(mirror, Spans()).add(start, end)

    def _log(self, claim: Claim) -> None:
        if claim.logged < claim.position and claim.version == claim.mirror.version:
            self.log(claim.mirror.index, claim.logged, claim.position)
        claim.logged = claim.position

    def release(self, claim: Claim) -> None:
        """The stream is through with the claim, or gives the rest of it back."""
        with self.lock:
            self._log(claim)
            self.claims.discard(claim)
            self.arrived.notify_all()
            self.work.notify_all()

    def mend(self, mirror: Mirror) -> None:
        """A claim was cut for another stream, but this mirror serves no ranges: undo the cut."""
        with self.lock:
            for claim in self.claims:
                if claim.mirror is mirror:
                    others = (one.position for one in self.claims if one is not claim)
                    beyond = [start for start in others if start >= claim.end]
                    beyond += [start for start, _ in self.done if start >= claim.end]
                    claim.end = min(beyond, default=self.end)

    def learned_size(self, size: int) -> None:
        with self.lock:
            self.size = size
            for claim in self.claims:
                claim.end = min(claim.end, size)
            self.arrived.notify_all()
            self.work.notify_all()

    def take_back(self, start: int, end: int) -> frozenset[int]:
        """The bytes [start, end) are wrong; the mirrors they came from."""
        with self.lock:
            blamed = {mirror for mirror, spans in self.by.items() if any(spans.within(start, end))}
            self.done.remove(start, end)
            for spans in self.by.values():
                spans.remove(start, end)
            self._took_back()
            return frozenset(blamed)

    def take_back_mirror(self, mirror: int) -> None:
        """The file of this mirror changed: its bytes belong to another version."""
        with self.lock:
            for start, end in self.by.pop(mirror, Spans()):
                self.done.remove(start, end)
            self._took_back()

    def start_over(self) -> None:
        with self.lock:
            self.done.clear()
            self.by.clear()
            self.bad.clear()
            self.answers = 0
            self._took_back()

    def _took_back(self) -> None:
        self.taken_back += 1
        for claim in self.claims:
            claim.logged = min(claim.logged, claim.position)
        self.arrived.notify_all()
        self.work.notify_all()
