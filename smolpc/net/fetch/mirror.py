"""One place that has the file: what it told about it, and how it behaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from smolpc.errors import SmolpcError, worst_of
from smolpc.net.faults import LONGEST_BACKOFF, Passing
from smolpc.net.places import host_of, shown
from smolpc.net.settings import NetSettings

FICKLE = 2  # changes after which the validators of a mirror are no longer believed


@dataclass(frozen=True)
class Validators:
    """ETag and Last-Modified of an answer, as sent (RFC 9110, section 8.8)."""

    etag: str = ""
    modified: str = ""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Validators:
        return cls(headers.get("ETag", ""), headers.get("Last-Modified", ""))

    @property
    def strong(self) -> str:
        """What If-Range may carry: a strong ETag, else a date, else ""."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    def contradict(self, other: Validators) -> bool:
        """Whether both say something and it differs: these are two versions of a file."""
        if self.etag and other.etag:
            return self.etag != other.etag
        return bool(self.modified and other.modified) and self.modified != other.modified


@dataclass(eq=False)
class Mirror:
    """`index` is its number in the state file. `version` counts the changes of its file while
    we looked; `ranges`: None until an answer told. All times are monotonic seconds. Guarded
    by the board's lock."""

    url: str = field(repr=False)  # may hold a password or a signature
    index: int
    validators: Validators = Validators()
    version: int = 0
    ranges: bool | None = None
    resolved: str = field(default="", repr=False)  # where redirects led; may expire
    error: SmolpcError | None = None  # why it is not used any more
    ready_at: float = 0.0
    failures: int = 0
    failed_at: float = -1.0
    farthest: int = 0  # bytes of the file that were there at the last failure
    received: int = 0
    lies: int = 0  # chunks that were not the pinned ones
    hint: str = ""  # a possible reason for wrong bytes

    @property
    def place(self) -> str:
        return shown(self.url)

    @property
    def host(self) -> str:
        return host_of(self.url)

    @property
    def if_range(self) -> str:
        return "" if self.fickle else self.validators.strong

    @property
    def fickle(self) -> bool:
        """Several servers behind one name may each send an ETag of their own."""
        return self.version >= FICKLE

    def told(self, headers: Mapping[str, str]) -> bool:
        """Take in the validators of an answer. True when the file is another version."""
        new = Validators.of(headers)
        if not self.fickle and self.validators.contradict(new):
            self.validators = new
            self.version += 1
            return True
        self.validators = replace(
            self.validators,
            etag=self.validators.etag or new.etag,
            modified=self.validators.modified or new.modified,
        )
        return False

    def failed(
        self, fault: Passing, settings: NetSettings, *, started: float, now: float, done: int
    ) -> None:
        """An attempt that began at `started` failed; `done`: bytes of the file that are there.

        Bears `settings.attempts` failures in a row. Progress since the last failure resets
        the count, and streams that break together count once.
        """
        if started < self.failed_at:
            return
        if done > self.farthest:
            self.failures, self.farthest = 0, done
        self.failures += 1
        self.failed_at = now
        wait = fault.wait
        if wait is None:
            wait = min(settings.backoff * 2 ** (self.failures - 1), LONGEST_BACKOFF)
        self.ready_at = now + wait
        if self.failures >= settings.attempts or wait > settings.longest_wait:
            self.error = fault.error

    def give_up(self, error: SmolpcError) -> None:
        self.error = error


def choose(
    mirrors: list[Mirror], avoid: frozenset[int], now: float
) -> tuple[Mirror | None, float | None]:
    """The first mirror that works and is ready; or None and the time when one will be.

    (None, None): there is no mirror left. One that does not serve ranges is the last resort.
    """
    alive = [mirror for mirror in mirrors if mirror.error is None]
    alive = [mirror for mirror in alive if mirror.index not in avoid] or alive
    alive = [mirror for mirror in alive if mirror.ranges is not False] or alive
    ready = next((mirror for mirror in alive if mirror.ready_at <= now), None)
    if ready is not None:
        return ready, None
    return None, min((mirror.ready_at for mirror in alive), default=None)


def failure(mirrors: list[Mirror], name: str) -> SmolpcError:
    """Why no mirror can be used any more, as one error."""
    errors = [mirror.error for mirror in mirrors if mirror.error is not None]
    if len(errors) == 1:
        return errors[0]
    return worst_of(errors, name)
