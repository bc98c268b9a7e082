"""The requests adapter that applies our rules to every request, redirects included.

requests lets environment variables win over a session's own settings; an adapter has the
last word. Imported lazily, because requests is slow to import.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Mapping
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy, should_bypass_proxies
from urllib3.exceptions import InsecureRequestWarning

from smolpc.errors import NetworkError
from smolpc.net.places import host_of, is_loopback
from smolpc.net.settings import NetSettings


def proxy_for(url: str, settings: NetSettings) -> str:
    """The proxy that a request to `url` goes through, or ""."""
    if settings.proxy and not should_bypass_proxies(url, no_proxy=None):
        return settings.proxy
    return select_proxy(url, get_environ_proxies(url)) or ""


def refuse_offline(url: str, settings: NetSettings) -> None:
    if settings.offline and not is_loopback(url):
        raise NetworkError(
            f"{host_of(url)} is needed, but offline mode is on",
            why="SMOLPC_OFFLINE or the setting 'offline' forbids the network",
            next_step="SMOLPC_OFFLINE=0 smolpc setup"
            " (or put the files into a folder and name it: PIP_FIND_LINKS=/folder smolpc setup)",
        )


class Adapter(HTTPAdapter):
    """Sends with the proxy, certificates and time limits of `settings`."""

    def __init__(self, settings: NetSettings, *, verify: bool = True) -> None:
        self.settings = settings
        self.verify: bool | str = (settings.ca_bundle or True) if verify else False
        super().__init__(max_retries=0)

    def _context(self) -> dict[str, Any]:
        if self.verify is not True:
            return {}
        import truststore

        return {"ssl_context": truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **kwargs: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, **kwargs, **self._context())

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **kwargs, **self._context())

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]
        if verify is True:  # requests adds its own bundle; the system store decides alone
            conn.ca_certs = conn.ca_cert_dir = None

    def _authorize(self, request: PreparedRequest, url: str) -> None:
        """Give the host its own token; what the user's ~/.netrc says goes before it."""
        ours = {host.lower(): f"Bearer {token}" for host, token in self.settings.tokens}
        if request.headers.get("Authorization") in ours.values():
            del request.headers["Authorization"]  # a redirect brought it along
        token = ours.get(host_of(url).lower())
        if token and "Authorization" not in request.headers:
            request.headers["Authorization"] = token

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,  # noqa: ARG002 - decided by the settings
        cert: Any = None,  # noqa: ARG002
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> Response:
        url = request.url or ""
        refuse_offline(url, self.settings)
        self._authorize(request, url)
        proxy = proxy_for(url, self.settings)
        limits = (self.settings.connect_timeout, self.settings.stall_timeout)
        with warnings.catch_warnings():
            if self.verify is False:
                warnings.simplefilter("ignore", InsecureRequestWarning)
            return super().send(
                request,
                stream=stream,
                timeout=timeout or limits,
                verify=self.verify,
                cert=self.settings.client_cert or None,
                proxies={"http": proxy, "https": proxy} if proxy else {},
            )
