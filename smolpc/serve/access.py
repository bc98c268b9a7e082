"""Who may use a server: API keys, and which addresses it listens on."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from smolpc import files
from smolpc.errors import PrerequisiteError, UsageError

VARIABLE = "SMOLPC_API_KEY"
SHORTEST = 8  # characters


def own_key() -> str:
    """The key with which this side asks a server: the first one of the variable, "" for none."""
    return os.environ.get(VARIABLE, "").partition(",")[0]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _checked(key: str, origin: str) -> str:
    problem = ""
    if not (key.isascii() and key.isprintable()) or set(key) & set(" ,\"'"):
        problem = "it holds a space, a comma, a quote or a letter that is not ASCII"
    elif len(key) < SHORTEST:
        problem = f"it is shorter than {SHORTEST} characters"
    if problem:
        raise UsageError(
            f"an API key in {origin} cannot be used",
            why=problem,
            next_step="smolpc serve --api-key-file NEW-FILE   (writes a good key into a new file)",
        )
    return key


def _from_file(path: Path) -> tuple[str, ...]:
    if path.is_dir():
        raise UsageError(
            f"{path} is a folder",
            why="the keys are in a file, one a line",
            next_step=f"smolpc serve --api-key-file {path / 'smolpc-key.txt'}",
        )
    if not path.exists():
        try:
            files.write_private(path, f"{secrets.token_urlsafe(24)}\n".encode())
        except OSError as error:
            raise PrerequisiteError(
                f"the file for the API key, {path}, cannot be made",
                why=error.strerror or str(error),
                next_step=f"smolpc serve --api-key-file {_key_file()}",
            ) from error
    elif not files.is_private(path):
        raise UsageError(
            f"other users of this machine can read {path}",
            why="an API key is a password",
            next_step=f"chmod 600 '{path}'",
        )
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is no text file",
            why=str(error),
            next_step="smolpc serve --api-key-file NEW-FILE   (writes a good key into a new file)",
        ) from error
    return tuple(
        _checked(line.strip(), str(path))
        for line in lines
        if line.strip() and not line.startswith("#")
    )


def api_keys(file: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The keys that clients may use; () for none. One a line of `file`, which is made with a
    new key when it does not exist; without `file` the one of the environment.

    Raises UsageError for keys that cannot be sent, and for a file that others can read.
    """
    if file:
        path = files.user_path(file).absolute()
        found = _from_file(path)
        if not found:
            raise UsageError(
                f"there is no API key in {path}",
                why="it has one a line",
                next_step=f"smolpc serve --api-key-file {path}   (after 'rm': it makes a new one)",
            )
        return found
    key = environ.get(VARIABLE, "").strip()
    return (_checked(key, f"environment variable {VARIABLE}"),) if key else ()


def require(host: str, keys: tuple[str, ...], *, insecure: bool) -> str:
    """A sentence of warning, or "". Raises UsageError when other machines could use the server
    without a key and nobody said that they may."""
    if is_loopback(host) or keys:
        return ""
    if not insecure:
        raise UsageError(
            f"without an API key everybody in the network could use the models at {host}",
            why="only programs on this machine may do without",
            next_step=f"smolpc serve --host {host} --api-key-file {_key_file()}"
            "   (it makes a key; or add --insecure)",
        )
    return f"everybody who reaches {host} can use the models: no API key is set"


def _key_file() -> str:
    return os.path.join("~", "smolpc-key.txt")  # noqa: PTH118 - text for the user
