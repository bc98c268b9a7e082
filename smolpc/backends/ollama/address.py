"""Where Ollama listens: OLLAMA_HOST in all its forms."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from smolpc.errors import UsageError

PORT = 11434
SCHEMES = {"http": 80, "https": 443}
LOOPBACK = "127.0.0.1"


def base_url(ollama_host: str = "") -> str:
    """The URL of the server that OLLAMA_HOST names, without a slash at the end.

    Forms: "", HOST, HOST:PORT, :PORT, an IPv6 address with or without brackets, and all of
    them after http:// or https:// (whose usual ports then hold) and before a path. An address
    that means "listen everywhere" is asked on the loopback. Raises UsageError.
    """
    text = ollama_host.strip().strip("\"'").strip()
    scheme, has_scheme, rest = text.partition("://")
    if not has_scheme:
        scheme, rest = "http", text
    scheme = scheme.lower()
    if scheme not in SCHEMES:
        raise _wrong(ollama_host, f"the scheme is http or https, not '{scheme}'")
    default = SCHEMES[scheme] if has_scheme else PORT
    place, slash, path = rest.partition("/")
    if _is_ipv6(place):
        place = f"[{place}]"
    try:
        parts = urlsplit(f"//{place}")
        host, port = parts.hostname or LOOPBACK, parts.port
    except ValueError as error:
        raise _wrong(ollama_host, str(error)) from error
    if parts.username is not None or any(one.isspace() for one in host):
        raise _wrong(ollama_host, "it has a user name or a space")
    host = _reachable(host)
    shown = f"[{host}]" if ":" in host else host
    url = f"{scheme}://{shown}:{default if port is None else port}"
    return (url + slash + path).rstrip("/")


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def _reachable(host: str) -> str:
    """The address to ask where a server listens on all of them."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "::1" if address.version == 6 else LOOPBACK


def _wrong(value: str, why: str) -> UsageError:
    _, at, place = value.rpartition("@")
    if at:  # what stands before it may be a password
        value, why = f"***@{place}", "it has a user name"
    return UsageError(
        f"OLLAMA_HOST is '{value}', which is no address of a server",
        why=why,
        next_step="OLLAMA_HOST=127.0.0.1:11434 smolpc backends.list",
    )
