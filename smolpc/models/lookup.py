"""Which stored model a name means."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from smolpc.catalog.families import key_of
from smolpc.catalog.reading import did_you_mean
from smolpc.errors import UsageError
from smolpc.models import storage
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.model import Defaults, ModelManifest

SHORTEST_DIGEST = 6  # characters


def installed(
    models_dir: Path, text: str, manifests: Iterable[ModelManifest] = ()
) -> ModelRecord | None:
    """The stored model that `text` names: the name it was stored under, a name or an alias
    of a manifest with the same digest, or the first characters of its digest.

    None when no stored model has that name; UsageError when several digests begin so.
    """
    records = storage.installed(models_dir)
    wanted = text.lower()
    digests = {manifest.file.sha256 for manifest in manifests if key_of(text) in _keys(manifest)}
    for record in records:
        if wanted == record.name or record.sha256 in digests:
            return record
    if len(wanted) < SHORTEST_DIGEST:
        return None
    begins = [record for record in records if record.sha256.startswith(wanted)]
    if len(begins) > 1:
        raise UsageError(
            f"'{text}' is the beginning of several digests",
            why=", ".join(f"{record.sha256[:16]} ({record.name})" for record in begins),
            next_step="smolpc models.storage",
        )
    return begins[0] if begins else None


def _keys(manifest: ModelManifest) -> set[str]:
    return set(map(key_of, (manifest.name, *manifest.aliases)))


def require_installed(
    models_dir: Path, text: str, manifests: Iterable[ModelManifest] = ()
) -> ModelRecord:
    """As `installed`, but no such model raises UsageError: with the pull that brings it where
    one of `manifests` describes it, else with a did-you-mean."""
    manifests = tuple(manifests)
    found = installed(models_dir, text, manifests)
    if found is None:
        here = {record.sha256: record.name for record in storage.installed(models_dir)}
        known = next((one for one in manifests if key_of(text) in _keys(one)), None)
        if known is not None:
            raise UsageError(
                f"the model {known.short} is not on this machine",
                why=f"stored here: {', '.join(here.values()) or 'none'}",
                next_step=f"smolpc models.pull {known.typed}",
            )
        names = list(here.values())
        names += [alias for one in manifests if one.file.sha256 in here for alias in one.aliases]
        raise UsageError(
            f"no stored model is called '{text}'{did_you_mean(text.lower(), names)}",
            why=f"stored here: {', '.join(here.values()) or 'none'}",
            next_step="smolpc models.storage",
        )
    return found


def brought_along(
    record: ModelRecord, text: str, manifests: Iterable[ModelManifest]
) -> tuple[Defaults, str]:
    """What the model brought along, as those of Ollama do (system prompt, parameters), and
    where it is from, for people.

    Of several manifests of the same file the one that `text` names counts.
    """
    same = [one for one in manifests if one.file.sha256 == record.sha256 and one.defaults]
    named = [one for one in same if key_of(text) in _keys(one)]
    for manifest in named or same:
        if manifest.defaults is not None:
            return manifest.defaults, manifest.origin or f"the manifest of {manifest.short}"
    return Defaults(), ""


def names_of(name: str, sha256: str, manifests: Iterable[ModelManifest]) -> tuple[str, ...]:
    """Every name of a model: the one it is stored under, and those of its manifests."""
    same = (one for one in manifests if one.file.sha256 == sha256)
    return (name, *(name for one in same for name in (one.name, *one.aliases)))
