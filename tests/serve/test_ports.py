"""Where a server listens."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from smolpc.errors import BusyError, UsageError
from smolpc.serve import ports


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_zero_takes_a_free_one_that_can_be_used() -> None:
    port = ports.choose("127.0.0.1", 0)
    assert ports.choose("127.0.0.1", port) == port


def test_a_taken_port_says_by_whom_and_what_to_do(taken: int) -> None:
    with pytest.raises(BusyError) as caught:
        ports.choose("127.0.0.1", taken)
    assert f"port {taken} is taken" in caught.value.what
    assert f"process {os.getpid()}" in caught.value.what
    assert "--port 0" in caught.value.next_step


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_does_not_exist(port: int) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        ports.choose("127.0.0.1", port)


def test_an_address_of_another_machine() -> None:
    with pytest.raises(UsageError, match="no address 192"):
        ports.choose("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("host", "near"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.5", "10.0.0.5")],
)
def test_this_machine_reaches_its_own_server(host: str, near: str) -> None:
    assert ports.reachable(host) == near
