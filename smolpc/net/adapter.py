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

from smolpc.errors import NetworkError, UsageError
from smolpc.net.places import host_of, is_loopback
from smolpc.net.settings import NetSettings


def proxy_for(url: str, settings: NetSettings) -> str:
    """The proxy that a request to `url` goes through, or ""."""
    if settings.direct:
        return ""
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


def authorize(request: PreparedRequest, settings: NetSettings) -> None:
    """Add the bearer token of the host that is asked; requests drops it when a redirect leads
    to another host."""
    token = settings.token_for(request.url or "")
    if not token:
        return
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise UsageError(
            f"the access token for {host_of(request.url or '')} cannot be sent",
            why="it holds a space, a line break or a letter that is not ASCII",
            next_step="set it again, for example: HF_TOKEN=hf_... smolpc models.pull NAME",
        )
    request.headers["Authorization"] = f"Bearer {token}"


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
        authorize(request, self.settings)
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
