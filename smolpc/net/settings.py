"""How this machine reaches the network, as one value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True, kw_only=True)
class NetSettings:
    """Times are in seconds. Empty text means: what the operating system says.

    `proxy` wins over the proxies of the environment (as in pip); NO_PROXY is obeyed either
    way. `ca_bundle` replaces the operating system's certificate store. The certificates of
    `trusted_hosts` ("host" or "host:port") are not checked: every byte is still verified
    against our own digests. A bearer token of `tokens` goes to exactly its origin (such as
    "https://hub.example:8443"), also after redirects.
    """

    offline: bool = False
    direct: bool = False  # no proxy, whatever the environment says
    proxy: str = field(default="", repr=False)  # may hold a password
    ca_bundle: str = ""
    client_cert: str = ""
    trusted_hosts: tuple[str, ...] = ()
    connect_timeout: float = 15
    stall_timeout: float = 30  # longest silence in the middle of an answer
    attempts: int = 5  # failures in a row before giving up
    backoff: float = 0.5  # wait after the first failure; doubles, up to 8 s
    longest_wait: float = 60  # a server that asks for more (Retry-After) is given up
    tokens: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # (origin, token)

    @classmethod
    def from_environment(
        cls, env: Mapping[str, str] | None = None, *, offline: bool = False
    ) -> NetSettings:
        """The settings of a machine without a pip configuration (see `smolpc.pypi.load`)."""
        found = os.environ if env is None else env
        bundle = next((found[name] for name in CA_VARIABLES if found.get(name)), "")
        return cls(offline=offline, ca_bundle=bundle)

    def token_for(self, url: str) -> str:
        """The bearer token for a request to `url`, or ""."""
        asked = _origin(url)
        return next((token for origin, token in self.tokens if _origin(origin) == asked), "")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port (RFC 6454, section 4)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
