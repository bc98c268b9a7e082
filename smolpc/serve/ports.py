"""A port to listen on: a free one, or the one that was asked for and who has it."""

from __future__ import annotations

import contextlib
import socket

from smolpc.errors import BusyError, UsageError

LOOPBACK = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not listened on


def reachable(host: str) -> str:
    """The address at which this machine itself reaches a server that listens on `host`."""
    return {"0.0.0.0": LOOPBACK, "": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104


def _bound(host: str, port: int) -> int:
    """Listen for a moment. Raises OSError when that is not possible."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        # Windows lets two programs share a port unless the first one forbids it; elsewhere
        # REUSEADDR only skips the minutes after a server ended.
        exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
        probe.setsockopt(socket.SOL_SOCKET, exclusive or socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen(1)
        number: int = probe.getsockname()[1]
        return number


def owner(port: int) -> str:
    """The program that listens on the port, such as "ollama (process 71)"; "" if the system
    does not tell (it is another user's)."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        for one in psutil.net_connections("tcp"):
            listens = one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port
            if listens and one.pid:
                return f"{psutil.Process(one.pid).name()} (process {one.pid})"
    return ""


def require(port: int) -> None:
    """Raise UsageError when there is no such port."""
    if not 0 <= port <= 65535:
        raise UsageError(
            f"port {port} does not exist",
            why="ports are 1 to 65535; 0 takes a free one",
            next_step="smolpc serve --port 8080",
        )


def choose(host: str, port: int) -> int:
    """The port to listen on; 0 takes a free one.

    Raises BusyError, with the holder where the system tells, when it is taken, and UsageError
    when this machine cannot listen there.
    """
    require(port)
    try:
        return _bound(host, port)
    except PermissionError as error:
        raise UsageError(
            f"port {port} may not be used",
            why="the system keeps it for administrators",
            next_step="smolpc serve --port 8080",
        ) from error
    except (socket.gaierror, UnicodeError) as error:
        raise _no_such_address(host) from error
    except OSError as error:
        import errno

        if error.errno == errno.EADDRNOTAVAIL:
            raise _no_such_address(host) from error
        by = owner(port)
        raise BusyError(
            f"port {port} is taken" + (f" by {by}" if by else ""),
            why=error.strerror or str(error),
            next_step="smolpc serve --port 0   (takes a free port)",
        ) from error


def _no_such_address(host: str) -> UsageError:
    return UsageError(
        f"this machine has no address {host}",
        why="a server listens on an address of its own machine",
        next_step="smolpc serve --host 0.0.0.0   (all addresses; needs an API key)",
    )


def lan_addresses() -> list[str]:
    """The IPv4 addresses at which other machines may reach this one."""
    import psutil

    found = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET
    ]
    return [one for one in found if not one.startswith(("127.", "169.254."))]
