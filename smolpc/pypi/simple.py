"""Read a page of the simple repository API: PEP 691 (JSON), PEP 503 (HTML) or a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import msgspec

from smolpc.errors import NetworkError
from smolpc.net import Document, NetSettings, get, local_path
from smolpc.net.places import host_of, shown

ACCEPT = (
    "application/vnd.pypi.simple.v1+json,"
    " application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)


@dataclass(frozen=True)
class Link:
    """One file on a page. `sha256` is what the page claims, "" when it claims nothing."""

    filename: str
    url: str
    sha256: str = ""


class _File(msgspec.Struct):
    filename: str
    url: str
    hashes: dict[str, str] = {}


class _Project(msgspec.Struct):
    files: list[_File]


class _Anchors(HTMLParser):
    """All `<a href>` of a page, and its `<base href>`."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.hrefs.append(href)
        elif tag == "base" and href and not self.base:
            self.base = href


def normalized(project: str) -> str:
    """The project's name in URLs (PEP 503)."""
    return re.sub(r"[-_.]+", "-", project).lower()


def project_page(index: str, project: str, settings: NetSettings) -> list[Link]:
    """The files of one project at one index. Raises NetworkError."""
    return page(f"{index.rstrip('/')}/{normalized(project)}/", settings)


def page(place: str, settings: NetSettings) -> list[Link]:
    """The files that a URL, a `file:` URL or a folder lists. Raises NetworkError."""
    path = local_path(place)
    if path is not None:
        return _local(path, place)
    document = get(place, settings, headers={"Accept": ACCEPT})
    links = _json(document) if document.content_type.endswith("json") else _html(document)
    return [_with_credentials(link, place) for link in links if _is_web(link)]


def _local(path: Path, place: str) -> list[Link]:
    """A file, a folder with an index.html, or a folder of files."""
    try:
        if path.is_dir() and not (path / "index.html").is_file():
            return [Link(entry.name, entry.absolute().as_uri()) for entry in sorted(path.iterdir())]
        source = path / "index.html" if path.is_dir() else path
        if source.suffix not in (".html", ".htm"):
            return [Link(source.name, source.absolute().as_uri())] if source.is_file() else []
        body = source.read_bytes()
    except OSError as error:
        raise NetworkError(
            f"{shown(place)} cannot be read", why=error.strerror or "", next_step="pip config list"
        ) from error
    return _html(Document(source.absolute().as_uri(), "text/html", body))


def _json(document: Document) -> list[Link]:
    try:
        project = msgspec.json.decode(document.body, type=_Project)
    except msgspec.DecodeError as error:
        raise NetworkError(
            f"{host_of(document.url)} sent an index page that cannot be read",
            why=str(error),
            next_step="pip config list",
        ) from error
    links = [
        _link(document.url, file.url, file.filename, file.hashes.get("sha256", ""))
        for file in project.files
    ]
    return [link for link in links if link is not None]


def _html(document: Document) -> list[Link]:
    anchors = _Anchors()
    anchors.feed(document.body.decode("utf-8", errors="replace"))
    base = urljoin(document.url, anchors.base)
    links = [_link(base, href) for href in anchors.hrefs]
    return [link for link in links if link is not None]


def _link(base: str, href: str, filename: str = "", sha256: str = "") -> Link | None:
    """A link of a page, or None when it is not a URL at all."""
    try:
        parts = urlsplit(urljoin(base, href))
    except ValueError:
        return None
    claimed = re.search(r"(?:^|&)sha256=([0-9a-fA-F]{64})", parts.fragment)
    return Link(
        filename=filename or unquote(parts.path.rpartition("/")[2]),
        url=parts._replace(fragment="").geturl(),
        sha256=(sha256 or (claimed[1] if claimed else "")).lower(),
    )


def _is_web(link: Link) -> bool:
    """A page from the network may not point at files of this machine."""
    return urlsplit(link.url).scheme in ("http", "https")


def _with_credentials(link: Link, place: str) -> Link:
    """Files on the index's own host are fetched with the index's user and password."""
    user, at, host = urlsplit(place).netloc.rpartition("@")
    parts = urlsplit(link.url)
    if not at or parts.netloc != host:
        return link
    return Link(link.filename, parts._replace(netloc=f"{user}@{host}").geturl(), link.sha256)
