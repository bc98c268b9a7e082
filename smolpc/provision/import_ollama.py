"""Models of Ollama into smolpc's store: what there is, and bringing it in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from smolpc.errors import PrerequisiteError, SmolpcError, TrustError
from smolpc.models import registry, storage
from smolpc.models.ollama import importing, stores
from smolpc.models.ollama.importing import describe_entry, upstream
from smolpc.models.ollama.listing import Entry
from smolpc.provision.bring_in import Importer
from smolpc.schema.model import ModelManifest
from smolpc.schema.ollama_report import Imported, OllamaRow

Known = Mapping[str, ModelManifest]


def row(entry: Entry, models_dir: Path, known: Known) -> OllamaRow:
    """One line of the list. Nothing is hashed for it."""
    other = upstream(entry.name, entry.sha256, known)
    mine = _here(entry, models_dir, known)
    why = entry.obstacle or (str(entry.error) if entry.error else "")
    return OllamaRow(
        name=str(entry.name),
        store=str(entry.store),
        sha256=entry.sha256,
        size=entry.size,
        architecture=entry.architecture,
        quantization=entry.quantization,
        state="damaged"
        if entry.error
        else "unusable"
        if entry.obstacle
        else "here"
        if mine
        else "importable",
        why=why,
        model=mine,
        offer=other.name if other and why else "",
    )


def _here(entry: Entry, models_dir: Path, known: Known) -> str:
    """smolpc's name of a model that is imported already, or ""."""
    if not entry.sha256 or storage.find(models_dir, entry.sha256) is None:
        return ""
    for name, one in known.items():
        ours = not one.origin.startswith(importing.ORIGIN)
        same_name = one.origin == f"{importing.ORIGIN} ({entry.name})"
        if one.file.sha256 == entry.sha256 and (ours or same_name):
            return name
    return ""


def import_one(importer: Importer, entry: Entry, known: Known) -> Imported:
    """Bring one model in. Raises the error that explains why it cannot be used."""
    return _import(importer, entry, known)[0]


def _import(importer: Importer, entry: Entry, known: Known) -> tuple[Imported, ModelManifest]:
    if entry.error is not None:
        raise entry.error
    if entry.obstacle or entry.header is None or entry.path is None:
        raise PrerequisiteError(
            f"{entry.name} cannot be used with this engine",
            why=entry.obstacle,
            next_step=_instead(entry, known),
        )
    found = describe_entry(entry, entry.header, entry.path, known)
    record, result = importer.bring_in(
        found.manifest,
        entry.path,
        source=f"Ollama ({entry.name})",
        register=found.new,
        next_step=_instead(entry, known),
    )
    made = Imported(
        name=str(entry.name),
        state="imported" if result is not None or found.new else "here",
        model=found.manifest.name,
        path=str(storage.path_of(importer.store.models, record)),
        record=record,
        checked=result.checks.get("model", "") if result else "",
        notes=tuple(filter(None, (*found.notes, registry.licence_note(found.manifest)))),
    )
    return made, found.manifest


def import_all(importer: Importer, entries: Iterable[Entry], known: Known) -> list[Imported]:
    """Bring in every model that can be used. A failure is kept, and the next one is tried."""
    done: list[Imported] = []
    everything = dict(known)
    for entry in entries:
        if entry.obstacle:
            done.append(
                Imported(
                    name=str(entry.name),
                    state="skipped",
                    why=entry.obstacle,
                    next=_instead(entry, everything),
                )
            )
            continue
        importer.reporter.check()
        try:
            made, manifest = _import(importer, entry, everything)
            everything[manifest.name] = manifest  # the next one needs another name
        except SmolpcError as error:
            made = Imported(
                name=str(entry.name),
                state="failed",
                why=str(error),
                next=error.next_step,
                code=error.code,
            )
        done.append(made)
    return done


def worst(done: Sequence[Imported]) -> int:
    """The exit code of them all: 0, or that of the failure that matters most."""
    codes = [one.code for one in done if one.state == "failed"]
    return TrustError.code if TrustError.code in codes else max(codes, default=0)


def _instead(entry: Entry, known: Known) -> str:
    """What to do about a model that does not work here: the upstream file, if there is one."""
    other = upstream(entry.name, entry.sha256, known)
    if other is not None:
        return f"smolpc models.pull {other.name}   (the file that this engine can load)"
    return f"{stores.LIST}   (or go on using it with Ollama)"
