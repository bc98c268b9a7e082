"""The machine's pip configuration: indexes, folders, proxy, certificates.

pip itself is asked (`pip config list`), because only it knows where its files are; where
pip is absent (environments made by uv) the PIP_* and UV_* variables are read.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from smolpc import proc
from smolpc.errors import UsageError
from smolpc.net import NetSettings

PYPI = "https://pypi.org/simple"
LINE = re.compile(r"(?P<section>[^=]+)\.(?P<option>[a-z-]+)=(?P<value>['\"].*['\"])$")
SECTIONS = ("global", "download", "install", ":env:")  # later ones win, as in pip
YES = ("1", "y", "yes", "t", "true", "on")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where packages come from, in the order they are asked, and how to get there.

    `find_links` are folders, files or pages; they are asked first because they are mostly
    local. No index at all means that pip is configured with `no-index`.
    """

    find_links: tuple[str, ...] = ()
    indexes: tuple[str, ...] = (PYPI,)
    net: NetSettings = field(default_factory=NetSettings)

    def __repr__(self) -> str:  # index URLs may hold passwords
        return f"Settings({proc.mask(' '.join((*self.find_links, *self.indexes)))})"


def load(*, offline: bool = False, env: Mapping[str, str] | None = None) -> Settings:
    """The settings of this machine. Starts pip once (about half a second) if there is one.

    Raises UsageError when pip cannot read its own configuration.
    """
    found = dict(os.environ if env is None else env)
    if importlib.util.find_spec("pip") is None:
        options = from_variables(found)
    else:
        argv = [sys.executable, "-P", "-m", "pip", "--no-color", "config", "list"]
        done = proc.run(argv, env={"PYTHONUTF8": "1", "PIP_QUIET": None, "PIP_VERBOSE": None})
        if not done.ok:
            raise UsageError(
                "pip cannot read its configuration",
                why=proc.mask(done.tail(3)),
                next_step="pip config debug",
            )
        options = parse(done.output)
    return settings(options, found, offline=offline)


def parse(output: str) -> dict[str, str]:
    """Effective options (name -> value) of the output of `pip config list`."""
    sections: dict[str, dict[str, str]] = {}
    for line in output.splitlines():
        match = LINE.match(line)
        if match:
            section = sections.setdefault(match["section"], {})
            section[match["option"]] = str(ast.literal_eval(match["value"]))
    options: dict[str, str] = {}
    for name in SECTIONS:
        options.update(sections.get(name, {}))
    return options


def from_variables(env: Mapping[str, str]) -> dict[str, str]:
    """Options (name -> value) of the PIP_* variables: PIP_INDEX_URL is `index-url`."""
    return {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in env.items()
        if name.startswith("PIP_") and value
    }


def settings(
    options: Mapping[str, str], env: Mapping[str, str], *, offline: bool = False
) -> Settings:
    """Settings from pip options, completed by uv's variables and the environment's CA."""
    indexes = _indexes(options, env)
    if options.get("no-index", "").lower() in YES:
        indexes = ()
    links = options.get("find-links", "").split() or env.get("UV_FIND_LINKS", "").split(",")
    net = NetSettings.from_environment(env, offline=offline)
    silence = options.get("timeout") or options.get("default-timeout")
    return Settings(
        find_links=tuple(link.strip() for link in links if link.strip()),
        indexes=indexes,
        net=replace(
            net,
            proxy=options.get("proxy", ""),
            ca_bundle=options.get("cert") or net.ca_bundle,
            client_cert=options.get("client-cert", ""),
            trusted_hosts=tuple(options.get("trusted-host", "").split()),
            stall_timeout=_seconds(silence) if silence else net.stall_timeout,
        ),
    )


def _indexes(options: Mapping[str, str], env: Mapping[str, str]) -> tuple[str, ...]:
    main = (
        options.get("index-url") or env.get("UV_DEFAULT_INDEX") or env.get("UV_INDEX_URL") or PYPI
    )
    extra = options.get("extra-index-url") or " ".join(
        env.get(name, "") for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL")
    )
    # uv allows "name=url"
    found = [re.sub(r"^[\w-]+=", "", url) for url in (*main.split(), *extra.split())]
    return tuple(dict.fromkeys(found))


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(
            f"pip's timeout {text!r} is not a number of seconds", next_step="pip config list"
        ) from error
