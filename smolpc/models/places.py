"""Where the bytes of a model can be had: mirrors first, then the user's own Hugging Face,
then the source that the manifest names.

A mirror never changes what is trusted: the digest of the manifest decides. So a model whose
digest nobody has pinned yet is asked for at its own source only (or at `HF_ENDPOINT`, which
is the user's word for the hub), never at a mirror.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from urllib.parse import quote, urlsplit

from smolpc import files
from smolpc.errors import UsageError
from smolpc.net.places import host_of, is_loopback, local_path
from smolpc.schema.base import Value
from smolpc.schema.model import FileSource, HttpsSource, HubSource, ModelFile, ModelManifest
from smolpc.settings import Settings

HUB = "https://huggingface.co"
WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
# An address, or a path that means the same in every folder: of Linux, a drive, a share, a home.
ABSOLUTE = re.compile(r"https?://[^/]|file:|~?/|[A-Za-z]:[\\/]|\\\\", re.IGNORECASE)
PLACEHOLDERS = ("repo", "revision", "file", "filename", "sha256")


class Mirrors(Value, kw_only=True):
    """`bases` are folders or addresses; one with placeholders such as `{repo}` says its whole
    layout, any other holds the files by name. `endpoint` is where the hub is."""

    bases: tuple[str, ...] = ()
    endpoint: str = HUB


def mirrors(settings: Settings, env: Mapping[str, str] | None = None) -> Mirrors:
    """The mirrors of this user. Raises UsageError that names the setting."""
    found = os.environ if env is None else env
    for name, value in (
        ("hf_endpoint", settings.hf_endpoint),
        ("HF_ENDPOINT", found.get("HF_ENDPOINT", "")),
    ):
        if value:
            return Mirrors(bases=_bases(settings), endpoint=_checked_endpoint(name, value))
    return Mirrors(bases=_bases(settings))


def _bases(settings: Settings) -> tuple[str, ...]:
    bases = _words(settings.model_mirrors)
    for number, base in enumerate(bases, 1):
        try:
            fields = [name for _, name, _, _ in Formatter().parse(base) if name is not None]
        except ValueError:
            fields = ["{"]
        unknown = [name for name in fields if name not in PLACEHOLDERS]
        if unknown:
            raise UsageError(
                f"mirror {number} in the setting model_mirrors has an unknown placeholder:"
                f" {{{unknown[0]}}}",
                why="placeholders are: " + ", ".join(f"{{{name}}}" for name in PLACEHOLDERS),
                next_step="smolpc config.show",
            )
        if not ABSOLUTE.match(base):
            raise UsageError(
                f"mirror {number} in the setting model_mirrors is neither an address nor a folder",
                why="it must begin with http://, https://, file: or be the whole path of a folder;"
                ' "double quotes" go around one with a space',
                next_step="smolpc config.show",
            )
    return bases


def _words(text: str) -> tuple[str, ...]:
    """The text split at spaces that are not in double quotes. Backslashes are ordinary: they
    belong to paths of Windows. Raises UsageError."""
    if text.count('"') % 2:
        raise UsageError(
            "the setting model_mirrors has a double quote without its other half",
            why='"double quotes" go around a folder with a space',
            next_step="smolpc config.show",
        )
    words = (word.replace('"', "") for word in WORD.findall(text))
    return tuple(word for word in words if word)


def _checked_endpoint(name: str, value: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and parts.hostname is not None
    except ValueError:
        good = False
    if not good or parts.username is not None or parts.query or parts.fragment:
        raise UsageError(
            f"{name} is not the address of a Hugging Face",
            why="it must be like https://hub.example.org, without user, password or query",
            next_step="smolpc config.show",
        )
    return value.rstrip("/")


def of(
    source: HttpsSource | HubSource | FileSource,
    file: ModelFile | None = None,
    known: Mirrors | None = None,
) -> tuple[str, ...]:
    """URLs or paths of a source's file, in the order to ask them, each once.

    `file` is what the manifest pins; without it, or without a digest in it, no mirror is asked.
    """
    known = known or Mirrors()
    found = list(of_mirrors(file, known, source)) if file else []
    if isinstance(source, HubSource):
        found.append(_on_hub(source, known.endpoint))
        found.append(_on_hub(source, HUB))
    else:
        found.append(source.url if isinstance(source, HttpsSource) else source.path)
    return tuple(dict.fromkeys(found))


def of_mirrors(file: ModelFile, known: Mirrors, source: object = None) -> tuple[str, ...]:
    """Where mirrors would have the whole file, also that of a model that comes in a wheel.

    Placeholders that the source cannot fill leave a mirror out. Nothing without a digest.
    """
    if file.sha256 is None:
        return ()
    values = {"filename": file.filename, "sha256": file.sha256}
    if isinstance(source, HubSource):
        values |= {"repo": source.repo, "revision": source.revision, "file": source.file}
    found = []
    for base in known.bases:
        fields = {name for _, name, _, _ in Formatter().parse(base) if name}
        folder = local_path(base)
        if folder is not None and not fields:
            found.append(str(folder / file.filename))
        elif fields <= set(values):
            shape = base if fields else f"{base.rstrip('/')}/{{filename}}"
            plain = folder is not None and not base.lower().startswith("file:")
            filled = values if plain else {key: quote(text) for key, text in values.items()}
            found.append(shape.format_map(filled))
    return tuple(found)


def _on_hub(source: HubSource, endpoint: str) -> str:
    revision = quote(source.revision, safe="")
    return f"{endpoint}/{source.repo}/resolve/{revision}/{quote(source.file)}"


def of_manifest(manifest: ModelManifest, known: Mirrors) -> tuple[str, ...]:
    """All places that are not wheels, of all sources, in the order to ask them: the mirrors
    first."""
    sources = manifest.file.sources
    found = [place for source in sources for place in of_mirrors(manifest.file, known, source)]
    for source in sources:
        if isinstance(source, HttpsSource | HubSource | FileSource):
            found += of(source, None, known)
    return tuple(dict.fromkeys(found))


def tokens(known: Mirrors, env: Mapping[str, str] | None = None) -> tuple[tuple[str, str], ...]:
    """(origin, token) for the hub and the user's own endpoint, for `NetSettings.tokens`.

    From HF_TOKEN, the file HF_TOKEN_PATH, or the file that the hub's own tools keep. It is
    never sent in the clear, except to this machine itself. Raises UsageError for a token that
    cannot be one; its message does not show it.
    """
    found = os.environ if env is None else env
    token = found.get("HF_TOKEN", "").strip() or _token_in(_token_file(found))
    if not token:
        return ()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            "the Hugging Face token is not one",
            why="it holds spaces or characters that no token has",
            next_step="set HF_TOKEN to the token alone (huggingface.co, Settings, Access Tokens)",
        )
    endpoints = [
        endpoint
        for endpoint in (known.endpoint, HUB)
        if endpoint.startswith("https://") or is_loopback(endpoint)
    ]
    origins = (f"{urlsplit(one).scheme}://{host_of(one)}" for one in endpoints)
    return tuple((origin, token) for origin in dict.fromkeys(origins))


def _token_file(env: Mapping[str, str]) -> Path:
    if env.get("HF_TOKEN_PATH"):
        return files.user_path(env["HF_TOKEN_PATH"])
    home = files.user_path(env.get("HOME") or env.get("USERPROFILE") or "~")
    cache = Path(env.get("XDG_CACHE_HOME") or home / ".cache")
    return files.user_path(env.get("HF_HOME") or cache / "huggingface") / "token"


def _token_in(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
