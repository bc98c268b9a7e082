"""All streams of one download, and the thread that steers them."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from smolpc import files
from smolpc.console import Reporter, Task
from smolpc.errors import NetworkError, SmolpcError
from smolpc.net import faults
from smolpc.net.fetch import state
from smolpc.net.fetch.adaptive import Controller
from smolpc.net.fetch.answer import Answer, Asker, Changed, not_pinned
from smolpc.net.fetch.board import Board, Claim
from smolpc.net.fetch.bucket import TokenBucket
from smolpc.net.fetch.hashing import Hasher
from smolpc.net.fetch.keeper import Keeper
from smolpc.net.fetch.mirror import Mirror, Validators, choose, failure
from smolpc.net.fetch.options import MOST_STREAMS, Options
from smolpc.net.fetch.spans import Spans
from smolpc.net.fetch.stream import Stream
from smolpc.net.settings import NetSettings

TICK = 0.025  # seconds between two looks of the steering thread
WATCH_EVERY = 0.25
LONGEST_NAP = 0.25
QUIET_TICK = 0.2
SAY_EVERY = 10.0
GOODBYE = 2.0  # seconds that streams get to stop


class Crew:
    """Brings one file from `urls`, which are http(s), into `<target>.part`.

    `pinned` is its sha256 or "". The methods below `run` are called by the streams; they hold
    no lock when they call.
    """

    def __init__(
        self,
        urls: Sequence[str],
        target: Path,
        *,
        pinned: str,
        size: int | None,
        title: str,
        reporter: Reporter,
        task: Task,
        settings: NetSettings,
        options: Options,
    ) -> None:
        self.target, self.title, self.settings, self.options = target, title, settings, options
        self.part = target.with_name(f"{target.name}.part")
        self.pinned, self.reporter, self.task = pinned, reporter, task
        self.mirrors = [Mirror(url, index) for index, url in enumerate(urls)]
        self.known = list(self.mirrors)  # those in the state file: also some of earlier runs
        self.journal = state.Journal(target, pinned)
        self.board = Board(size, options.chunk, self.journal.log)
        self.asker = Asker(self.board, target.name, bool(pinned), settings)
        self._resume(size)
        self.kept = self.board.done.total
        self.hasher = Hasher(
            self.board, self.part, options.chunk_digests, self._wrong_chunk, self.crashed
        )
        self.keeper = Keeper(self.board, self.part, self.journal, self.known, self.crashed)
        self.controller = Controller(MOST_STREAMS, options.streams)
        self.bucket = TokenBucket(options.limit, time.monotonic())
        self.streams: list[Stream] = []
        self.most_streams = self.received = 0
        self.stopping = False
        self.error: BaseException | None = None
        self.spoiled = False  # what is on the disk is not the pinned file
        self._tries: dict[int, int] = {}  # start of a wrong chunk -> times it was wrong
        self._introduced: set[int] = set()  # mirrors whose validators are in the state file
        self._unsaved = False  # bytes were taken back, but the state file still claims them
        self._watched = 0.0
        self._said = -math.inf  # when a user was told that nothing comes
        self._shown = 0

    def _resume(self, size: int | None) -> None:
        """Continue what an earlier run left, if it is of the same file."""
        saved = state.load(self.target)
        urls = {mirror.place: mirror for mirror in reversed(self.mirrors)}
        fits = saved is not None and saved.sha256 == self.pinned
        fits = fits and saved is not None and (size is None or saved.size in (None, size))
        if fits and saved is not None and not self.pinned:
            fits = [known.place for known, spans in saved.mirrors if spans] == list(urls)
        if saved is None or not fits:
            with self.part.open("wb") as stream:
                stream.truncate(size or 0)
            return
        by: dict[int, Spans] = {}
        for known, spans in saved.mirrors:
            mirror = urls.get(known.place)
            if mirror is None:  # not asked any more; its bytes stay, the digest decides
                mirror = Mirror(known.place, len(self.known))
                self.known.append(mirror)
            mirror.validators = Validators(known.etag, known.modified)
            by[mirror.index] = spans
        if saved.size is not None and self.board.size is None:
            self.board.learned_size(saved.size)
        if self.board.size is not None:
            with self.part.open("r+b") as stream:
                stream.truncate(self.board.size)
        self.board.restore(by)

    def run(self) -> str:
        """The sha256 of the part file, which then is complete; not flushed to the disk yet.

        Whatever ends it early leaves a state that a later run continues.
        """
        if self.kept:
            self.keeper.save()  # from now on the numbers of the mirrors are those of this run
        self.hasher.start()
        self.keeper.start()
        try:
            while not self.hasher.digest:
                self.reporter.check()
                self._keep_quiet()
                self._steer(time.monotonic())
                with self.board.lock:
                    if self.error is None and not self.hasher.digest:
                        self.board.work.wait(TICK)
                    if self.error is not None:
                        raise self.error
                self._show()
        finally:
            self._stop()
        return self.hasher.digest

    @property
    def contributed(self) -> list[Mirror]:
        """The mirrors of this run that bytes of the part file came from."""
        return [mirror for mirror in self.mirrors if self.board.by.get(mirror.index)]

    def _show(self) -> None:
        with self.board.lock:
            done = self.board.done.total
        if done != self._shown:
            self._shown = done
            self.task.update(done, self.board.size)

    def _keep_quiet(self) -> None:
        end = self.options.quiet_hours.until(wall_clock())
        if end is None:
            return
        self.reporter.note(f"quiet hours: {self.title} goes on at {end:%H:%M}")
        for stream in self.streams:
            stream.leave()
        while self.options.quiet_hours.until(wall_clock()) is not None:
            self.reporter.check()
            time.sleep(QUIET_TICK)
        self.controller.pause()

    def _steer(self, now: float) -> None:
        """As many streams as the controller wants, each of them at work."""
        with self.board.lock:
            left, size = self.board.left, self.board.size
            unsure = not self.pinned and not self._introduced  # no validator seen yet
            one_only = (
                size is None
                or unsure
                or all(mirror.ranges is False for mirror in self.mirrors if mirror.error is None)
            )
        ended = [stream for stream in self.streams if not stream.is_alive()]
        self.received += sum(stream.received for stream in ended)
        self.streams = [stream for stream in self.streams if stream not in ended]
        wanted = self.controller.sample(now, self.total_received, left, self.board.smallest)
        wanted = 1 if one_only else wanted
        active = [stream for stream in self.streams if not stream.leaving.is_set()]
        for stream in active[wanted:]:
            stream.leave()
        if left != 0:
            for _ in range(wanted - len(active)):
                stream = Stream(self, len(self.streams))
                self.streams.append(stream)
                stream.start()
        serving = sum(stream.answer is not None for stream in self.streams)
        self.most_streams = max(self.most_streams, serving)
        if now - self._watched >= WATCH_EVERY:
            self._watched = now
            self._hang_up_on_starving(now)

    @property
    def total_received(self) -> int:
        return self.received + sum(stream.received for stream in self.streams)

    def _hang_up_on_starving(self, now: float) -> None:
        watched = [(stream, stream.watch) for stream in self.streams if stream.watch is not None]
        rates: dict[Stream, float] = {}
        for stream, watch in watched:
            watch.note(stream.received - stream.began_at, now)
            rates[stream] = watch.rate(now) or 0.0
        share = self.options.limit // max(1, len(watched))
        for stream, watch in watched:
            others = [rate for other, rate in rates.items() if other is not stream]
            if watch.starves(now, sum(others) / max(1, len(others)), share):
                stream.starve()

    def _stop(self) -> None:
        with self.board.lock:
            self.stopping = True
            self.board.work.notify_all()
        for stream in self.streams:
            stream.leave()
        self.hasher.stop()
        self.keeper.stop()
        end = time.monotonic() + GOODBYE
        for thread in (*self.streams, self.hasher, self.keeper):
            thread.join(max(0.0, end - time.monotonic()))
        self.received, self.streams = self.total_received, []
        with contextlib.suppress(OSError):  # a full disk: the last good state stays
            if not self.board.complete and self.board.done:
                self.keeper.save()
        self.journal.close()

    def next_claim(self, stream: Stream) -> Claim | None:
        """The next piece for a stream; waits for one. None: the stream is not needed."""
        while True:
            with self.board.lock:
                claim, over = self._try_claim(stream)
                unsaved, self._unsaved = self._unsaved, False
            if unsaved:  # before a byte of another version is written
                self.keeper.save()
            if claim is not None or over:
                return claim

    def _try_claim(self, stream: Stream) -> tuple[Claim | None, bool]:
        board, now = self.board, time.monotonic()
        over = self.stopping or stream.leaving.is_set() or self.error is not None
        if over or board.complete:
            return None, True
        mirror, ready_at = choose(self.mirrors, frozenset(), now)
        if mirror is None and ready_at is None and not board.claims:
            self.crashed(failure(self.mirrors, self.target.name))
            return None, True
        claim = self._claim_from(mirror, now) if mirror is not None else None
        if claim is None:
            wait = LONGEST_NAP if ready_at is None else min(ready_at - now, LONGEST_NAP)
            board.work.wait(max(0.0, wait))
        return claim, False

    def _claim_from(self, mirror: Mirror, now: float) -> Claim | None:
        board = self.board
        if mirror.ranges is False:
            if board.claims:
                board.mend(mirror)
                return None
            if board.done:
                board.start_over()
                self._unsaved = True
            return board.claim(1, 0.0, lambda _: mirror)

        def pick(avoid: frozenset[int]) -> Mirror:
            other, _ = choose(self.mirrors, avoid, now)
            return other if other is not None and other.ranges is not False else mirror

        return board.claim(self.controller.wanted, self.controller.rate, pick)

    def piece(self, most: int) -> int:
        return self.bucket.piece(most)

    def throttle(self, count: int) -> float:
        if not self.options.limit:
            return 0.0
        with self.board.lock:
            return self.bucket.take(count, time.monotonic())

    def began(self, mirror: Mirror, answer: Answer) -> None:
        with self.board.lock:
            self.board.answers += 1
            known = self.board.size
            if answer.whole is not None and known not in (None, answer.whole):
                mirror.version += 1  # another size without another validator
                raise Changed
        if known is None and answer.whole is not None:
            there = files.allocated(self.part)
            files.require_space(self.part.parent, max(answer.whole - there, 0), self.title)
            with self.part.open("r+b") as stream:
                stream.truncate(answer.whole)
            self.board.learned_size(answer.whole)
        if mirror.index not in self._introduced:
            self._introduced.add(mirror.index)
            self.keeper.save()

    def failed(
        self, mirror: Mirror, fault: faults.Passing, started: float, *, refused: bool
    ) -> None:
        with self.board.lock:
            now = time.monotonic()
            serving = sum(stream.answer is not None for stream in self.streams)
            mirror.resolved = ""
            if refused and serving and (fault.wait or 0) <= self.settings.longest_wait:
                self.controller.refused(now, serving)  # it serves us, but not as many streams
                mirror.ready_at = now + (fault.wait or self.settings.backoff)
            else:
                done = self.board.done.total
                mirror.failed(fault, self.settings, started=started, now=now, done=done)
            if fault.wait is not None:  # the host asks for it, not only this URL
                for other in self.mirrors:
                    if other.host == mirror.host:
                        other.ready_at = max(other.ready_at, mirror.ready_at)
            quiet = serving or now - self._said < SAY_EVERY or mirror.error is not None
            self._said = self._said if quiet else now
        if not quiet:
            self.reporter.note(f"{self.title}: {fault}; trying again")
        self._go_on_without(mirror)

    def changed(self, mirror: Mirror) -> None:
        """Old bytes and new ones must not mix."""
        with self.board.lock:
            if self.pinned and self.asker.size is not None:
                self.board.take_back_mirror(mirror.index)
            else:
                self.board.start_over()
                self.board.size = self.asker.size
            if not self.pinned and mirror.fickle:
                mirror.error = NetworkError(
                    f"{self.target.name} on {mirror.host} changes while it is downloaded",
                    why="its ETag or its size was another one several times",
                    next_step=faults.AGAIN,
                )
            self._unsaved = True

    def no_ranges(self, mirror: Mirror) -> None:
        with self.board.lock:
            mirror.ranges = False

    def give_up(self, mirror: Mirror, error: SmolpcError, *, lied: bool) -> None:
        with self.board.lock:
            mirror.error = error
            if lied:
                self.board.take_back_mirror(mirror.index)
                self._unsaved = True
        self._go_on_without(mirror)

    def _go_on_without(self, mirror: Mirror) -> None:
        following, _ = choose(self.mirrors, frozenset(), math.inf)
        if mirror.error is not None and following is not None:
            self.reporter.note(f"{self.title}: {mirror.error}; going on with {following.host}")

    def _wrong_chunk(self, start: int, end: int) -> None:
        """Fetch it again, from another mirror if there is one. Who sends wrong bytes twice is
        not asked any more."""
        self._tries[start] = self._tries.get(start, 0) + 1
        blamed = self.board.take_back(start, end)
        self.board.bad[start] = self.board.bad.get(start, frozenset()) | blamed
        why = f"the bytes {start} to {end - 1} have another sha256 than the pinned file's"
        for mirror in (one for one in self.mirrors if one.index in blamed):
            mirror.lies += 1
            others = [one for one in self.mirrors if one.error is None and one is not mirror]
            if mirror.lies >= 2 and others:
                self.give_up(mirror, not_pinned(self.target.name, mirror, why), lied=False)
        if self._tries[start] > max(1, len(self.mirrors)):
            self.spoiled = True
            raise not_pinned(self.target.name, self.mirrors[-1], why)

    def crashed(self, error: BaseException) -> None:
        with self.board.lock:
            self.error = self.error or error
            self.board.work.notify_all()


def wall_clock() -> datetime:
    return datetime.now()
