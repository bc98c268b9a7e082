"""What the user wants to play, read from words such as "llamacpp:threads=1". Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args
from urllib.parse import parse_qs, urlsplit

import msgspec

from smolpc.catalog.reading import did_you_mean
from smolpc.errors import UsageError
from smolpc.schema.base import Value
from smolpc.schema.bench import Player as Kind
from smolpc.serve import access

USUAL = ("llama-server:speculation=off", "llamacpp", "llama-bench")  # the first is the base
KINDS: tuple[str, ...] = get_args(Kind)


class Wish(Value, kw_only=True):
    """One player as the user wants it."""

    text: str
    kind: str
    url: str = ""
    changes: dict[str, str] = msgspec.field(default_factory=dict)
    used: dict[str, Any] = msgspec.field(default_factory=dict)  # the settings of an earlier run
    again: int = 0  # how often the same wish came before: a test of the method itself


def wish(text: str) -> Wish:
    """`PLAYER[:SETTING=VALUE+...]`, or the address of a server. Raises UsageError."""
    text = text.strip()
    if text.startswith(("http://", "https://")):
        return _address(text)
    kind, _, rest = text.partition(":")
    if kind not in KINDS or kind == "openai":
        known = [*(one for one in KINDS if one != "openai"), "http://HOST:PORT"]
        raise UsageError(
            f"there is no player '{kind}'{did_you_mean(kind, known)}",
            why=f"known: {', '.join(known)}",
            next_step='smolpc bench --players "llamacpp, llamacpp:threads=1"',
        )
    changes = {}
    for pair in filter(None, map(str.strip, rest.split("+"))):
        name, equals, value = pair.partition("=")
        if not equals or not value:
            raise UsageError(
                f"'{pair}' is no setting of {kind}",
                why="a setting is written NAME=VALUE, several with + between them",
                next_step='smolpc bench --players "llamacpp:threads=1+speculation=off"',
            )
        changes[name.strip()] = value.strip()
    if kind == "ollama" and changes.keys() - {"model"}:
        raise UsageError(
            f"'{text}': Ollama runs with its own settings",
            why="they cannot be changed from here, so the figures would be those of others",
            next_step='smolpc bench --players "llamacpp, ollama"',
        )
    return Wish(text=text, kind=kind, changes=changes)


def _address(text: str) -> Wish:
    """A running server, and which of its models is asked: `http://HOST:PORT?model=NAME`."""
    why, port, parts = "", "", urlsplit("")
    try:
        parts = urlsplit(text)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError as error:
        why = str(error)
    query = parse_qs(parts.query, keep_blank_values=True)
    if not why and not parts.hostname:
        why = "it names no host"
    if "@" in parts.netloc:
        why = "a user name or a password in it would be shown in results"
    if query.keys() - {"model"} or parts.fragment:
        why = "only ?model=NAME may follow the address"
    if why:
        shown = text if "@" not in parts.netloc else "the address"
        raise UsageError(
            f"{shown} is no address of a server",
            why=why,
            next_step='smolpc bench --players "llamacpp, http://127.0.0.1:8080"'
            f"   (a key belongs into {access.VARIABLE})",
        )
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return Wish(
        text=text,
        kind="openai",
        url=f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}",
        changes={name: values[-1] for name, values in query.items()},
    )


def wishes(texts: Sequence[str]) -> tuple[Wish, ...]:
    """Several; the first one is what the others are compared with."""
    return numbered([wish(text) for text in texts if text.strip()])


def numbered(made: Sequence[Wish]) -> tuple[Wish, ...]:
    """The same wishes, and those that came before in other words know it."""
    meant = [(one.kind, one.url, sorted(one.changes.items())) for one in made]
    return tuple(
        msgspec.structs.replace(one, again=meant[:place].count(meant[place]))
        for place, one in enumerate(made)
    )
