"""How models are listed and shown: states, order, numbers for people."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from smolpc.catalog import Catalog
from smolpc.models import licenses, lookup, names, pins, places, registry, storage
from smolpc.net.places import shown
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.model import HttpsSource, License, ModelFile, ModelManifest
from smolpc.schema.registry_report import ModelReport, PinReport
from smolpc.schema.report import ModelRow
from smolpc.settings import Settings
from smolpc.store import Store


def state_of(manifest: ModelManifest, catalog: Catalog, pinned: bool) -> str:
    """How sure the digest is. `pinned`: this store trusted it at first use."""
    unsure = manifest.file.sha256 is None or bool(manifest.file.unverified)
    if registry.is_own(manifest, catalog):
        return "own, not pinned" if unsure and not pinned else "own"
    if not unsure:
        return "confirmed"
    return "pinned here" if pinned else "unconfirmed"


def rows(catalog: Catalog, store: Store, machine: Path | None = None) -> list[ModelRow]:
    """All models: by family, the smaller first, of each size the usual quantization first; then
    those that are only in the store, because a path or an address brought them. `machine`: the
    models folder that all users share."""
    here = {record.sha256: record for record in storage.installed(store.models)}
    listed, seen = [], set()
    for manifest in ordered(catalog.models.values()):
        pin = None if manifest.file.sha256 else pins.find(store, manifest.name)
        sha256 = pin.sha256 if pin else manifest.file.sha256 or ""
        seen.add(sha256)
        row = _row(manifest, catalog, pins.is_pinned(store, manifest.name))
        listed.append(_placed(row, here.get(sha256), sha256, machine))
    rest = [_only_here(record) for sha256, record in here.items() if sha256 not in seen]
    return [*listed, *rest]


def _placed(
    row: ModelRow, record: ModelRecord | None, sha256: str, machine: Path | None
) -> ModelRow:
    """The row with where its file is."""
    if record is not None:
        return _stored(row, record)
    shared = bool(machine and sha256 and storage.find(machine, sha256))
    return msgspec.structs.replace(row, shared=shared)


def _stored(row: ModelRow, record: ModelRecord) -> ModelRow:
    if storage.is_damaged(record):
        return msgspec.structs.replace(row, state="damaged")
    return msgspec.structs.replace(row, installed=True)


def _only_here(record: ModelRecord) -> ModelRow:
    row = ModelRow(
        name=record.name,
        short=record.name,
        aliases=(),
        family="",
        summary=f"{record.filename}, not in the registry",
        size=record.size,
        parameters=0,
        quantization=names.quantization_in(record.filename),
        purposes=(),
        license=record.license,
        context_length=record.context_length,
        state="only here",
        usual=True,
        installed=False,
        default=False,
    )
    return _stored(row, record)


def ordered(manifests: Iterable[ModelManifest]) -> list[ModelManifest]:
    def place(one: ModelManifest) -> tuple[str, int, bool, int, str]:
        return one.family, one.parameters, not is_usual(one), one.file.size, one.name

    return sorted(manifests, key=place)


def is_usual(manifest: ModelManifest) -> bool:
    """Whether this is what its size means when no quantization is named."""
    return not manifest.short.lower().endswith(f"-{manifest.file.quantization.lower()}")


def _row(manifest: ModelManifest, catalog: Catalog, pinned: bool) -> ModelRow:
    return ModelRow(
        name=manifest.name,
        short=manifest.short,
        aliases=manifest.aliases,
        family=manifest.family,
        summary=manifest.summary,
        size=manifest.file.size,
        parameters=manifest.parameters,
        quantization=manifest.file.quantization,
        purposes=manifest.purposes,
        license=manifest.license.id,
        context_length=manifest.context_length,
        state=state_of(manifest, catalog, pinned),
        usual=is_usual(manifest) or registry.is_own(manifest, catalog),
        installed=False,
        default=manifest.default,
    )


def report(
    manifest: ModelManifest, catalog: Catalog, store: Store, chosen: Settings
) -> ModelReport:
    """Everything about one model. Raises what `pins.find` and `places.mirrors` raise."""
    pin = pins.find(store, manifest.name)
    sha256 = manifest.file.sha256 or (pin.sha256 if pin else "")
    record = storage.find(store.models, sha256) if sha256 else None
    declared = catalog.registry.files.get(manifest.name)
    state = state_of(manifest, catalog, pin is not None)
    if record is not None and (
        storage.is_damaged(record) or not (declared or manifest.file.sources)
    ):
        state = _only_here(record).state
    return ModelReport(
        manifest=without_secrets(manifest),
        state=state,
        declared_in=str(declared) if declared else "",
        path=str(storage.path_of(store.models, record)) if record else "",
        places=tuple(
            shown(place) for place in places.of_manifest(manifest, places.mirrors(chosen))
        ),
        pin=PinReport(sha256=pin.sha256, source=pin.source, time=pin.time) if pin else None,
        licence_note=registry.licence_note(manifest),
    )


def only_stored(name: str, catalog: Catalog, store: Store) -> ModelManifest | None:
    """What the record says about a model that no manifest describes; None for any other."""
    known = catalog.models.values()
    record = None if catalog.registry.find(name) else lookup.installed(store.models, name, known)
    if record is None or any(one.file.sha256 == record.sha256 for one in known):
        return None
    row = _only_here(record)
    return ModelManifest(
        name=record.name,
        family=record.name,
        summary=row.summary,
        parameters=0,
        license=License(id=record.license or licenses.UNKNOWN),
        purposes=(),
        file=ModelFile(
            filename=record.filename,
            size=record.size,
            sha256=record.sha256,
            quantization=row.quantization,
            sources=(),
        ),
        context_length=record.context_length,
        origin=shown(record.source),
    )


def trusted(found: ModelReport) -> ModelManifest:
    """The manifest with the digest that was recorded at first use, where it names none."""
    file = found.manifest.file
    if file.sha256 is not None or found.pin is None:
        return found.manifest
    file = msgspec.structs.replace(file, sha256=found.pin.sha256, unverified="")
    return msgspec.structs.replace(found.manifest, file=file)


def without_secrets(manifest: ModelManifest) -> ModelManifest:
    """The manifest with addresses as they may be shown."""
    sources = tuple(
        HttpsSource(url=shown(source.url)) if isinstance(source, HttpsSource) else source
        for source in manifest.file.sources
    )
    file = msgspec.structs.replace(manifest.file, sources=sources)
    return msgspec.structs.replace(manifest, file=file)


def licence_word(licence: str) -> str:
    """The id of a licence for a narrow table: without the prefix of those outside SPDX's list."""
    return licence.removeprefix("LicenseRef-")


def state_word(row: ModelRow) -> str:
    """The state, or that the file is already on this PC, in the store of all users."""
    return "shared" if row.shared else row.state


def human_count(count: int) -> str:
    """Parameters for people: "135M", "7.6B"; "?" when not known."""
    if count >= 9_950_000_000:
        return f"{count / 1e9:.0f}B"
    if count >= 999_500_000:
        return f"{count / 1e9:.1f}B"
    return f"{count / 1e6:.0f}M" if count else "?"


def human_context(tokens: int) -> str:
    """Tokens for people, as model cards write them: "32k" is 32768; "?" when not known."""
    return f"{tokens // 1024}k" if tokens >= 1024 else str(tokens) if tokens else "?"
