"""What can go wrong on the way, as errors a user can act on; and when to try again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from smolpc.errors import NetworkError
from smolpc.net.places import host_of, shown
from smolpc.net.settings import NetSettings
from smolpc.proc import mask

PASSING = (408, 429, 500, 502, 503, 504)
LONGEST_BACKOFF = 8.0  # seconds
AGAIN = "check the network, then run the same command again: it continues where it stopped"


class Passing(Exception):
    """A fault that may be gone in a moment. `wait`: seconds the server asked for, if it did."""

    def __init__(self, error: NetworkError, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error, self.wait = error, wait


class Patience:
    """Bears `attempts` failures in a row; progress between two of them resets the count."""

    def __init__(self, settings: NetSettings) -> None:
        self.settings = settings
        self.failures = 0
        self.farthest = 0

    def failed(self, fault: Passing, done: int = 0) -> None:
        """Wait before the next attempt, or raise the fault's error. `done`: bytes so far."""
        if done > self.farthest:
            self.failures, self.farthest = 0, done
        self.failures += 1
        wait = fault.wait
        if wait is None:
            wait = min(self.settings.backoff * 2 ** (self.failures - 1), LONGEST_BACKOFF)
        if self.failures >= self.settings.attempts or wait > self.settings.longest_wait:
            raise fault.error from fault
        time.sleep(wait)


def way(url: str, settings: NetSettings) -> str:
    """The host and, if there is one, the proxy, for messages."""
    from smolpc.net.adapter import proxy_for  # imports requests

    proxy = proxy_for(url, settings)
    return host_of(url) + (f" (through the proxy {shown(proxy)})" if proxy else "")


def root_of(error: BaseException) -> BaseException:
    """The innermost reason inside the wrappers of requests and urllib3."""
    while True:
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        if inner is None:
            return error
        error = inner


def from_exception(error: Exception, url: str, settings: NetSettings) -> Passing | NetworkError:
    """An exception of requests or urllib3 as a fault to bear or an error to raise."""
    import requests
    import urllib3

    place, reason = way(url, settings), mask(str(root_of(error)))
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return NetworkError(
            f"the certificate of {place} is not trusted",
            why=reason,
            next_step="if this network inspects TLS, name its CA file:"
            " REQUESTS_CA_BUNDLE=/path/to/ca.pem smolpc setup",
        )
    if isinstance(error, requests.exceptions.ProxyError) and " 407 " in f"{reason} ":
        return proxy_login(url, settings)
    broken = NetworkError(f"no complete answer from {place}", why=reason, next_step=AGAIN)
    if isinstance(
        error,
        requests.exceptions.ConnectionError
        | requests.exceptions.Timeout
        | requests.exceptions.ChunkedEncodingError
        | urllib3.exceptions.HTTPError,
    ):
        return Passing(broken)
    return broken


def proxy_login(url: str, settings: NetSettings) -> NetworkError:
    from smolpc.net.adapter import proxy_for

    return NetworkError(
        f"the proxy {shown(proxy_for(url, settings))} wants a user name and a password",
        why="HTTP 407",
        next_step="HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT smolpc setup",
    )


def from_status(
    code: int, headers: Mapping[str, str], url: str, settings: NetSettings
) -> Passing | NetworkError:
    """An HTTP answer that is not the one asked for."""
    if code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return proxy_login(url, settings)
    place = way(url, settings)
    why = f"HTTP {code} for {shown(url)}"
    if code in PASSING:
        wait = _retry_after(headers.get("Retry-After", ""))
        if wait is not None:
            why += f"; it asks to wait {wait:.0f} s"
        return Passing(NetworkError(f"{place} is busy", why=why, next_step=AGAIN), wait)
    if code in (401, 403):
        return NetworkError(
            f"{place} refuses access",
            why=why,
            next_step="log in: HF_TOKEN for Hugging Face, the index URL for a package index (pip"
            " config edit), ~/.netrc for others; then run the same command again",
        )
    if code in (404, 410):
        return NetworkError(
            f"{place} does not have the file",
            why=why,
            next_step="check the address (of a package index: pip config list)",
        )
    return NetworkError(f"{place} gave an unexpected answer", why=why, next_step=AGAIN)


def _retry_after(text: str) -> float | None:
    """Seconds of a Retry-After header: a number or an HTTP date (RFC 9110, section 10.2.3)."""
    if not text:
        return None
    if text.isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
