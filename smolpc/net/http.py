"""Sessions and small documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smolpc import __version__
from smolpc.console import human_bytes
from smolpc.errors import NetworkError, UsageError
from smolpc.net.places import host_of, split_credentials
from smolpc.net.settings import NetSettings

if TYPE_CHECKING:
    import requests

LARGEST_DOCUMENT = 64 << 20  # bytes; the largest index pages are a few MB


@dataclass(frozen=True)
class Document:
    """A small answer. `url` is where redirects ended; relative links start there."""

    url: str
    content_type: str
    body: bytes


def session(settings: NetSettings) -> requests.Session:
    """A session with the proxy, certificates and time limits of `settings`.

    Raises UsageError when a configured certificate file does not exist.
    """
    import requests

    from smolpc.net.adapter import Adapter

    for path in (settings.ca_bundle, settings.client_cert):
        if path and not Path(path).exists():
            raise UsageError(
                f"the certificate file {path} does not exist",
                why="REQUESTS_CA_BUNDLE, SSL_CERT_FILE or pip's configuration names it",
                next_step="pip config list",
            )
    made = requests.Session()
    made.headers["User-Agent"] = f"smolpc/{__version__}"
    made.mount("https://", Adapter(settings))
    made.mount("http://", Adapter(settings))
    for host in settings.trusted_hosts:
        for prefix in (f"https://{host}/", f"https://{host}:"):
            made.mount(prefix, Adapter(settings, verify=False))
    return made


@contextmanager
def opened(
    url: str,
    settings: NetSettings,
    headers: Mapping[str, str],
    accept: tuple[int, ...] = (200,),
    made: requests.Session | None = None,
) -> Iterator[requests.Response]:
    """One attempt: the answer to GET, its body not read yet.

    `made` is a session whose connections are used again; None: one for this request.
    Raises `faults.Passing` for what may be gone in a moment, NetworkError for the rest; faults
    while the caller reads the body are translated too.
    """
    import requests
    import urllib3

    from smolpc.net import faults

    bare, auth = split_credentials(url)
    try:
        with (
            nullcontext(made) if made is not None else session(settings) as used,
            used.get(bare, headers=dict(headers), auth=auth, stream=True) as response,
        ):
            if response.status_code not in accept:
                raise faults.from_status(response.status_code, response.headers, url, settings)
            yield response
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise faults.from_exception(error, url, settings) from error


def get(
    url: str,
    settings: NetSettings,
    *,
    headers: Mapping[str, str] | None = None,
    limit: int = LARGEST_DOCUMENT,
) -> Document:
    """The document at an http(s) URL, at most `limit` bytes. Raises NetworkError."""
    from smolpc.net.faults import Passing, Patience

    patience = Patience(settings)
    while True:
        try:
            with opened(url, settings, headers or {}) as response:
                body = bytearray()
                for chunk in response.iter_content(1 << 16):
                    body += chunk
                    if len(body) > limit:
                        raise NetworkError(
                            f"{host_of(url)} sent an index page that is too large",
                            why=f"more than {human_bytes(limit)}",
                            next_step="pip config list",
                        )
                kind = response.headers.get("Content-Type", "")
                return Document(response.url, kind.partition(";")[0].strip().lower(), bytes(body))
        except Passing as fault:
            patience.failed(fault)
