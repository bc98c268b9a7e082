"""Bring one file to this machine: checked for space first, hashed while it streams, under its
final name only when every byte is there and is the pinned one."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from smolpc import files
from smolpc.console import Reporter, Task, human_bytes
from smolpc.errors import Interrupted, NetworkError, SmolpcError, TrustError, worst_of
from smolpc.net.fetch import local, state
from smolpc.net.fetch.options import Fetched, Options
from smolpc.net.places import host_of, local_path, shown
from smolpc.net.settings import NetSettings


def download(
    urls: str | Sequence[str],
    target: Path,
    *,
    sha256: str | None,
    size: int | None = None,
    reporter: Reporter,
    title: str,
    settings: NetSettings,
    options: Options | None = None,
) -> Fetched:
    """Make `target` the file with this `sha256` (hex) and `size` (bytes; None: not known).

    `urls` are places of the same bytes, best first: http(s), `file:` or a plain path. With
    `sha256` None the file is trusted as it comes, from one place only, and the caller pins
    the digest that is returned; a file that is there already under the name is taken as it is.

    Bytes wait in `<target>.part`, and `<target>.part.json` says which: a later call continues
    whatever stopped this one. Two processes that want the same target take turns, the second
    shows the progress of the first. Raises SpaceError before a byte is written, NetworkError
    when no place can be reached or the transfer breaks, TrustError (and the part is removed)
    when the bytes are not the pinned ones, Interrupted when `reporter` says so.
    """
    places = (urls,) if isinstance(urls, str) else tuple(urls)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with ExitStack() as stack:
        watcher = _Watcher(target, size, reporter, title, stack)
        stack.enter_context(files.explain_os_errors(target.parent, title))
        stack.enter_context(
            files.lock(
                target.with_name(f".{target.name}.lock"),
                on_wait=watcher.begin,
                check=watcher.look,
            )
        )
        there = _already(target, sha256, size)
        if there is not None:
            watcher.show(there.size)
            _discard(target)  # killed between the new name and the end of the state
            return there
        if size is not None:
            files.require_space(target.parent, max(size - files.allocated(part), 0), title)
        job = _Job(
            places,
            target,
            part,
            pinned=sha256 or "",
            size=size,
            reporter=reporter,
            task=watcher.task or stack.enter_context(reporter.task(title, total=size)),
            title=title,
            settings=settings,
            options=options or Options(),
        )
        return job.run()


def _already(target: Path, sha256: str | None, size: int | None) -> Fetched | None:
    """The file is there and right."""
    if not target.is_file() or size not in (None, target.stat().st_size):
        return None
    digest = files.sha256_file(target)
    if sha256 not in (None, digest):
        return None
    return Fetched(sha256=digest, size=target.stat().st_size)


def _discard(target: Path) -> None:
    """Forget an unfinished download."""
    part = target.with_name(f"{target.name}.part")
    for path in (part, state.path_of(target), state.fresh_path_of(target)):
        path.unlink(missing_ok=True)


class _Watcher:
    """While another process downloads the file, its progress is shown as ours."""

    def __init__(
        self, target: Path, size: int | None, reporter: Reporter, title: str, stack: ExitStack
    ) -> None:
        self.target, self.size, self.reporter, self.title = target, size, reporter, title
        self.stack = stack
        self.task: Task | None = None

    def begin(self) -> None:
        self.reporter.note(f"another smolpc process downloads {self.target.name}: waiting")
        self.task = self.stack.enter_context(self.reporter.task(self.title, total=self.size))

    def look(self) -> None:
        self.reporter.check()
        if (saved := state.load(self.target)) is not None:
            self.show(saved.done, saved.size)

    def show(self, done: int, size: int | None = None) -> None:
        if self.task is not None:
            self.task.update(done, size)


class _Job:
    """One download, the lock held. `pinned` "": trust on first use."""

    def __init__(
        self,
        places: Sequence[str],
        target: Path,
        part: Path,
        *,
        pinned: str,
        size: int | None,
        reporter: Reporter,
        task: Task,
        title: str,
        settings: NetSettings,
        options: Options,
    ) -> None:
        self.places, self.target, self.part = places, target, part
        self.pinned, self.size, self.title = pinned, size, title
        self.reporter, self.task = reporter, task
        self.settings, self.options = settings, options
        self.began = time.monotonic()
        self.received = self.streams = 0
        self.hosts: list[str] = []
        self._last = self._hint = ""  # the place that the newest bytes came from

    def run(self) -> Fetched:
        failures: list[SmolpcError] = []
        for places in self._groups():
            source = local_path(places[0])
            try:
                if source is not None:
                    return self._from_file(places[0], source)
                return self._from_web(places)
            except (NetworkError, TrustError) as error:
                failures.append(error)
                if len(failures) < len(self._groups()):
                    self.reporter.note(f"{self.title}: {error}: trying the next place")
        raise worst_of(failures, self.target.name)

    def _groups(self) -> list[list[str]]:
        """Places that are used together: all neighbours in the web, if the file is pinned."""
        groups: list[list[str]] = []
        for place in self.places:
            web = local_path(place) is None
            if groups and self.pinned and web and local_path(groups[-1][0]) is None:
                groups[-1].append(place)
            else:
                groups.append([place])
        return groups

    def _from_file(self, place: str, source: Path) -> Fetched:
        def on_bytes(done: int, total: int) -> None:
            self.reporter.check()
            self.task.update(done, total)

        digest = local.copy(
            source, self.target, size=self.size, title=self.title, on_bytes=on_bytes
        )
        self.received += self.part.stat().st_size
        self.hosts.append(shown(place))
        if digest != (self.pinned or digest):
            raise self._not_pinned(digest, place)
        return self._finish(digest)

    def _from_web(self, places: Sequence[str]) -> Fetched:
        digest, second = self._bring(places, self.options)
        for place in second if self.pinned not in ("", digest) else ():
            # bytes of two versions may have met, or one mirror is wrong: once more, in one piece
            sender = host_of(self._last) or shown(self._last)
            self.reporter.note(
                f"{self.title}: what {sender} sent is not the pinned file; once more from"
                f" {host_of(place)}"
            )
            _discard(self.target)
            try:
                digest, _ = self._bring([place], replace(self.options, streams=1))
            except NetworkError as error:  # the wrong bytes are the worse news
                self.reporter.note(f"{self.title}: {error}")
            if digest == self.pinned:
                break
        if digest != (self.pinned or digest):
            raise self._not_pinned(digest, self._last)
        return self._finish(digest)

    def _bring(self, places: Sequence[str], options: Options) -> tuple[str, list[str]]:
        """The digest of what arrived, and where to fetch it again if that is wrong."""
        from smolpc.net.fetch.crew import Crew

        crew = Crew(
            places,
            self.target,
            pinned=self.pinned,
            size=self.size,
            title=self.title,
            reporter=self.reporter,
            task=self.task,
            settings=self.settings,
            options=options,
        )
        try:
            digest = crew.run()
        except Interrupted as stop:
            raise self._resumable(stop, crew.board.done.total) from stop
        finally:
            self.received += crew.received
            self.streams = max(self.streams, crew.most_streams)
            used = [mirror.host for mirror in crew.mirrors if mirror.received]
            self.hosts += [host for host in used if host not in self.hosts]
            if crew.spoiled or not (crew.board.done or crew.board.complete):
                _discard(self.target)
        sources = crew.contributed
        self._hint = "; ".join(filter(None, (mirror.hint for mirror in crew.mirrors)))
        self._last = sources[-1].url if sources else places[-1]
        second = [one.url for one in crew.mirrors if one not in sources and one.error is None]
        if not second and crew.board.answers > 1:
            second = [self._last]
        return digest, second

    def _resumable(self, stop: Interrupted, done: int) -> Interrupted:
        kept = f"{human_bytes(done)}" + (f" of {human_bytes(self.size)}" if self.size else "")
        return Interrupted(
            stop.what,
            why=stop.why or f"{kept} of {self.target.name} are kept",
            next_step="run the same command again: it continues where it stopped",
        )

    def _not_pinned(self, digest: str, place: str) -> TrustError:
        _discard(self.target)
        return TrustError(
            f"{self.target.name} from {host_of(place) or shown(place)} is not the pinned file",
            why=f"expected sha256 {self.pinned}, got {digest}"
            + (f"; {self._hint}" if self._hint else ""),
            next_step="run the same command again; if it says the same, do not use this source",
        )

    def _finish(self, digest: str) -> Fetched:
        with self.part.open("r+b") as stream:
            os.fsync(stream.fileno())
            size = stream.seek(0, os.SEEK_END)
        files.replace(self.part, self.target)
        _discard(self.target)
        files.fsync_folder(self.target.parent)
        return Fetched(
            sha256=digest,
            size=size,
            received=self.received,
            hosts=tuple(self.hosts),
            seconds=time.monotonic() - self.began,
            streams=self.streams,
        )
