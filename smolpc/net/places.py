"""URLs: which are local, and what of them may be shown."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import url2pathname

from smolpc import files

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def local_path(place: str) -> Path | None:
    """The file that a `file:` URL or a plain path names; None for any other URL.

    `file://server/share/x` is the Windows share `\\\\server\\share\\x`.
    """
    parts = urlsplit(place)
    if parts.scheme == "file":
        host = "" if parts.netloc in ("", "localhost") else f"//{parts.netloc}"
        return Path(url2pathname(host + parts.path))
    if len(parts.scheme) > 1 and "://" in place:
        return None
    return files.user_path(place)  # a scheme of one letter is a Windows drive


def host_of(url: str) -> str:
    """The host of `url`, with its port if one is given; never the user or the query."""
    return urlsplit(url).netloc.rpartition("@")[2]


def is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in LOOPBACK


def is_nearby(url: str) -> bool:
    """Whether `url` is on this machine or in its own network: a proxy cannot reach it better."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost"))
    return address.is_private or address.is_link_local or address.is_unspecified


def split_credentials(url: str) -> tuple[str, tuple[str, str] | None]:
    """`url` without user, password and fragment; and the (user, password) it held."""
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=host_of(url), fragment=""))
    if parts.username is None:
        return bare, None
    return bare, (unquote(parts.username), unquote(parts.password or ""))


def shown(place: str) -> str:
    """`place` for messages: no user, no password, no query (signed URLs are secrets)."""
    if local_path(place) is not None:
        return place
    bare, _ = split_credentials(place)
    return bare.partition("?")[0]
