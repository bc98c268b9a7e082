"""Own models: what `models.add` finds out about a file before it is declared.

A local file is hashed now, so it is pinned. A remote file tells its size and its header, for
a few MB; what a server says about a digest is no pin.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from smolpc import files
from smolpc.catalog import Catalog
from smolpc.catalog.reading import did_you_mean
from smolpc.console import Reporter
from smolpc.errors import NetworkError, TrustError, UsageError
from smolpc.models import describe, headers, licenses, names, places, registry
from smolpc.net import NetSettings
from smolpc.schema.base import Value
from smolpc.schema.gguf import GgufHeader
from smolpc.schema.model import FileSource, HttpsSource, HubSource, ModelManifest, Purpose
from smolpc.settings import Settings

PURPOSES: tuple[Purpose, ...] = ("chat", "code")
HEX = set("0123456789abcdef")


class Wishes(Value, kw_only=True):
    """What the user says; empty: what the file says."""

    name: str = ""
    license: str = ""
    purposes: tuple[Purpose, ...] = ()
    sha256: str = ""


def wishes(name: str, license: str, purpose: str, sha256: str) -> Wishes:  # noqa: A002
    """The options of `models.add`, checked. Raises UsageError."""
    chosen = purposes(purpose, "smolpc --help models.add")
    digest = sha256.strip().lower().removeprefix("sha256:")
    if digest and (len(digest) != 64 or not set(digest) <= HEX):
        raise UsageError(
            "--sha256 is not a sha256",
            why="it has 64 hexadecimal digits",
            next_step="smolpc --help models.add",
        )
    return Wishes(name=name, license=license, purposes=chosen, sha256=digest)


def purposes(
    text: str, next_step: str = "smolpc models.list --purpose code"
) -> tuple[Purpose, ...]:
    """The purposes in `text`, between commas or spaces. Raises UsageError with `next_step`."""
    words = text.lower().replace(",", " ").split()
    chosen = tuple(one for one in PURPOSES if one in words)
    wrong = [word for word in words if word not in PURPOSES]
    if wrong:
        raise UsageError(
            f"'{wrong[0]}' is not a purpose{did_you_mean(wrong[0], PURPOSES)}",
            why=f"purposes are: {', '.join(PURPOSES)}",
            next_step=next_step,
        )
    return chosen


def add(
    what: str,
    wanted: Wishes,
    catalog: Catalog,
    chosen: Settings,
    *,
    net: Callable[[], NetSettings],
    reporter: Reporter,
    force: bool = False,
) -> tuple[ModelManifest, Path]:
    """Declare the file that `what` names: its manifest, and where that was written. `net` is
    asked how to reach the network only for a remote file.

    Raises UsageError when the registry has it (unless `force`) or its name is taken, and what
    `described` raises.
    """
    mirrors = places.mirrors(chosen)
    reference = names.parse(what, endpoint=mirrors.endpoint)
    there = None if force else names.known(reference, catalog)
    if there is not None:
        raise _is_known(there, catalog, f"smolpc models.pull {there.typed}")
    found = names.outside(reference)
    manifest = described(
        found, wanted, mirrors=mirrors, net=net, tokens=places.tokens(mirrors), reporter=reporter
    )
    same = (one for one in catalog.models.values() if one.file.sha256 == manifest.file.sha256)
    there = next(same, None) if manifest.file.sha256 and not force else None
    if there is not None and there.name != manifest.name:
        raise _is_known(there, catalog, _pull_from_here(there, manifest))
    return manifest, registry.write(manifest, catalog=catalog, force=force)


def _pull_from_here(there: ModelManifest, manifest: ModelManifest) -> str:
    """The command that brings the registry's model, from this file where that is possible."""
    pull = f"smolpc models.pull {there.typed}"
    (source,) = manifest.file.sources
    if isinstance(source, FileSource) and manifest.file.filename == there.file.filename:
        folder = str(Path(source.path).parent)
        if " " not in folder:
            pull += f"   (with SMOLPC_MODEL_MIRRORS={folder} it takes this file)"
    return pull


def _is_known(there: ModelManifest, catalog: Catalog, next_step: str) -> UsageError:
    return UsageError(
        f"the registry has that model: {there.short}",
        why=f"it is declared in {catalog.source('models', there.name)}",
        next_step=next_step,
    )


def described(
    found: ModelManifest,
    wanted: Wishes,
    *,
    mirrors: places.Mirrors,
    net: Callable[[], NetSettings],
    tokens: tuple[tuple[str, str], ...] = (),
    reporter: Reporter,
) -> ModelManifest:
    """`found` (from `names.outside`) with what its header says and the user wishes.

    Raises UsageError for an address that must not be kept, TrustError for a file that is not
    a usable model or not the one of `--sha256`, NetworkError.
    """
    (source,) = found.file.sources
    if isinstance(source, FileSource):
        header = headers.header_of(Path(source.path), NetSettings(offline=True))
        _require_whole(header, found.short)
        size, sha256 = found.file.size, _digest(Path(source.path), wanted, reporter)
    else:
        if isinstance(source, HttpsSource) and "?" in source.url:
            raise UsageError(
                f"the address {found.short} has a query ('?...'), which may be a secret",
                why="a manifest is kept in a file that others may read",
                next_step="leave it out, or get the file and add that: smolpc models.add FILE",
            )
        header = _remote_header(places.of_manifest(found, mirrors), net(), tokens)
        _require_whole(header, found.short)
        size, sha256 = header.file_size or 0, wanted.sha256
    return _filled(found, wanted, header, size, sha256)


def _require_whole(header: GgufHeader, shown: str) -> None:
    if header.parts > 1:
        raise UsageError(
            f"{shown} is one part of a model in {header.parts} files",
            why="one manifest pins one file",
            next_step="join the parts first: llama-gguf-split --merge FIRST_PART WHOLE.gguf",
        )


def _digest(path: Path, wanted: Wishes, reporter: Reporter) -> str:
    digest = files.sha256_shown(path, f"hash {path.name}", reporter)
    if wanted.sha256 and digest != wanted.sha256:
        raise TrustError(
            f"{path} is not the file of that digest",
            why=f"expected sha256 {wanted.sha256}, got {digest}",
            next_step="get the file again, or correct --sha256",
        )
    return digest


def _remote_header(
    asked: Sequence[str], net: NetSettings, tokens: tuple[tuple[str, str], ...]
) -> GgufHeader:
    """From the first place that answers: the user's hub, else the source itself."""
    reach = replace(net, tokens=tokens)
    *hubs, source = asked
    for place in hubs:
        with contextlib.suppress(NetworkError):
            return headers.header_of(place, reach)
    return headers.header_of(source, reach)


def _filled(
    found: ModelManifest, wanted: Wishes, header: GgufHeader, size: int, sha256: str
) -> ModelManifest:
    file = msgspec.structs.replace(
        found.file,
        size=size,
        sha256=sha256 or None,
        unverified="" if sha256 else found.file.unverified,
        quantization=describe.quantization(header),
    )
    stem = Path(found.file.filename).stem
    hub = isinstance(file.sources[0], HubSource)
    name = wanted.name or names.slug(stem)
    return msgspec.structs.replace(
        found,
        name=name,
        aliases=tuple(alias.lower() for alias in found.aliases) if hub else (),
        family=describe.family(header),
        summary=describe.title(header) or stem,
        parameters=describe.parameters(header),
        license=licenses.of_word(wanted.license) if wanted.license else describe.license_of(header),
        purposes=wanted.purposes or found.purposes,
        file=file,
        architecture=describe.architecture(header),
        context_length=describe.context_length(header),
        origin="added by hand",
    )
