"""One stream: a thread with one connection that it keeps, writing where its claims say."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from smolpc.errors import NetworkError, SmolpcError, TrustError
from smolpc.net import faults
from smolpc.net.fetch.answer import Answer, Asker, Changed, Expired, NoRanges, not_pinned
from smolpc.net.fetch.board import Board, Claim
from smolpc.net.fetch.mirror import Mirror
from smolpc.net.fetch.watch import Watch
from smolpc.net.http import session

if TYPE_CHECKING:
    import requests


class Lied(Exception):
    """The mirror sent bytes that cannot be the file's."""

    def __init__(self, error: TrustError) -> None:
        super().__init__(str(error))
        self.error = error


def write_all(out: BinaryIO, data: memoryview) -> None:
    while data:
        data = data[out.write(data) :]


READ = 256 << 10  # bytes; fits the caches of a core, so the hash finds them warm


class Boss(Protocol):
    """What a stream tells and asks the one that runs it."""

    board: Board
    asker: Asker
    part: Path

    def next_claim(self, stream: Stream) -> Claim | None: ...
    def piece(self, most: int) -> int: ...
    def throttle(self, count: int) -> float: ...
    def began(self, mirror: Mirror, answer: Answer) -> None: ...
    def failed(
        self, mirror: Mirror, fault: faults.Passing, started: float, *, refused: bool
    ) -> None: ...
    def changed(self, mirror: Mirror) -> None: ...
    def no_ranges(self, mirror: Mirror) -> None: ...
    def give_up(self, mirror: Mirror, error: SmolpcError, *, lied: bool) -> None: ...
    def crashed(self, error: BaseException) -> None: ...


class Stream(threading.Thread):
    def __init__(self, boss: Boss, number: int) -> None:
        super().__init__(name=f"download {number}", daemon=True)
        self.boss, self.board = boss, boss.board
        self.leaving = threading.Event()
        self.starved = False
        self.received = 0
        self.buffer = memoryview(bytearray(READ))
        self.answer: Answer | None = None
        self.watch: Watch | None = None  # of the present answer
        self.began_at = 0  # `received` when the present answer began

    def leave(self) -> None:
        """Stop soon: what was received is kept, the rest of the claim is given back."""
        self.leaving.set()
        self._hang_up()

    def starve(self) -> None:
        """The connection is too slow: begin a new one."""
        self.starved = True
        self._hang_up()

    def _hang_up(self) -> None:
        answer = self.answer
        if answer is not None:
            # it may just have ended by itself, or urllib3 is older than 2.3
            with suppress(OSError, ValueError, RuntimeError, AttributeError):
                answer.hang_up()

    def run(self) -> None:
        try:
            with (
                session(self.boss.asker.settings) as made,
                self.boss.part.open("r+b", buffering=0) as out,
            ):
                while (claim := self.boss.next_claim(self)) is not None:
                    try:
                        self._fill(claim, made, out)
                    finally:
                        self.board.release(claim)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self.boss.crashed(error)

    def _fill(self, claim: Claim, made: requests.Session, out: BinaryIO) -> None:
        boss, mirror, started = self.boss, claim.mirror, time.monotonic()
        try:
            while claim.position < claim.end and not self.leaving.is_set():
                self.answer = None
                with boss.asker.ask(claim, made) as answer:
                    boss.began(mirror, answer)
                    self._take(answer, claim, out)
        except faults.Passing as passing:
            slow = self._broken(mirror, "it sent almost nothing for too long")
            fault = slow if self.starved else passing
            if not self.leaving.is_set():
                boss.failed(mirror, fault, started, refused=self.answer is None)
        except Changed:
            boss.changed(mirror)
        except NoRanges:
            boss.no_ranges(mirror)
        except Expired:
            with self.board.lock:
                mirror.resolved = ""
        except Lied as error:
            boss.give_up(mirror, error.error, lied=True)
        except (NetworkError, TrustError) as error:
            boss.give_up(mirror, error, lied=False)
        finally:
            self.answer = self.watch = None
            self.starved = False

    def _take(self, answer: Answer, claim: Claim, out: BinaryIO) -> None:
        """Write the body to the file, as far as the claim goes."""
        mirror, before = claim.mirror, claim.position
        self.began_at, self.watch = (
            self.received,
            Watch(self.boss.asker.settings.stall_timeout, time.monotonic()),
        )
        self.answer = answer
        out.seek(before)
        while (want := claim.end - claim.position) > 0:
            data = answer.read(self.buffer[: self.boss.piece(min(want, READ))])
            if not data:
                break
            self.received += len(data)
            if answer.left is None:
                self._expect_end(answer, claim, len(data))
            granted = self.board.hold(claim, len(data))
            write_all(out, data[:granted])
            if not self.board.advance(claim, granted) or granted < len(data):
                return  # bytes that were not kept: what this answer goes on with fits no more
            delay = self.boss.throttle(len(data))
            if self.leaving.wait(delay) if delay else self.leaving.is_set():
                return
        if answer.left == 0:
            answer.finish()
        elif answer.left is None:
            self._end_without_length(claim)
        elif claim.position == before:
            raise self._broken(mirror, "the answer was empty")

    def _expect_end(self, answer: Answer, claim: Claim, count: int) -> None:
        """An answer without a length must end where the file does; this is known before its
        last bytes count."""
        board, mirror = self.board, claim.mirror
        if claim.position + count == board.size and answer.read(self.buffer[:1]):
            more = f"expected {board.size} bytes, got more than that"
            raise Lied(not_pinned(self.boss.asker.name, mirror, more))

    def _end_without_length(self, claim: Claim) -> None:
        """The connection's end is the file's end, if that is what was expected."""
        board = self.board
        if self.leaving.is_set():
            return
        if self.starved or (board.size is not None and claim.position < board.size):
            raise self._broken(claim.mirror, "the answer ended early")
        if board.size is None:
            board.learned_size(claim.position)

    def _broken(self, mirror: Mirror, why: str) -> faults.Passing:
        place = faults.way(mirror.url, self.boss.asker.settings)
        return faults.Passing(
            NetworkError(f"no complete answer from {place}", why=why, next_step=faults.AGAIN)
        )
