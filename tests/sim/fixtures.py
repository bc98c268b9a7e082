"""Fixtures of the simulators. A test module asks for them with

pytest_plugins = ["tests.sim.fixtures"]
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from smolpc.net import NetSettings
from tests.sim.proxy import SimProxy
from tests.sim.server import SimServer

NETWORK_VARIABLES = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
)


@pytest.fixture
def plain_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no CA bundle from the developer's own environment."""
    for name in NETWORK_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def sim_server(loopback: None, plain_network: None) -> Iterator[SimServer]:
    with SimServer() as server:
        yield server


@pytest.fixture
def sim_tls_server(loopback: None, plain_network: None, tmp_path: Path) -> Iterator[SimServer]:
    """A server whose certificate comes from a CA that only `ca_file` knows."""
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "mirror.example").configure_cert(context)
    ca_file = tmp_path / "school ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with SimServer(context, str(ca_file)) as server:
        yield server


@pytest.fixture
def sim_proxy(sim_server: SimServer) -> Iterator[SimProxy]:
    with SimProxy(sim_server.address) as proxy:
        yield proxy


@pytest.fixture
def quick() -> NetSettings:
    """Real behaviour, but no waiting."""
    return NetSettings(backoff=0, stall_timeout=0.3, connect_timeout=2, attempts=3)
