"""From a model of Ollama to a manifest of smolpc's registry: what it is, and what it brings
along for its users (system prompt, parameters, template, licence)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from smolpc.catalog.families import key_of
from smolpc.models import describe, licenses
from smolpc.models.ollama import manifest as layers
from smolpc.models.ollama.listing import Entry
from smolpc.models.ollama.names import OllamaName
from smolpc.schema.base import Value
from smolpc.schema.gguf import GgufHeader
from smolpc.schema.model import Defaults, FileSource, License, ModelFile, ModelManifest

MAX_OPTIONS = 100
Option = str | int | float | bool | tuple[str, ...]
LEFT_OUT = {"projector": "part for images", "messages": "example conversation"}
ORIGIN = "imported from Ollama"


class Described(Value, kw_only=True):
    """The manifest for one of Ollama's models. `new`: the registry does not have it yet."""

    manifest: ModelManifest
    new: bool
    notes: tuple[str, ...] = ()


def describe_entry(
    entry: Entry, header: GgufHeader, path: Path, known: Mapping[str, ModelManifest]
) -> Described:
    """The manifest of `entry`, whose blob `path` has `header`. `known` is the registry, by
    name. Where the registry has this very file, by digest, its facts are used.

    Raises TrustError or PrerequisiteError when a small layer is not what it must be.
    """
    notes: list[str] = []
    brought = defaults(entry, notes.append)
    same = next((one for one in known.values() if one.file.sha256 == entry.sha256), None)
    if same is not None and not same.origin.startswith(ORIGIN):
        notes.append(f"it is the file that the registry knows as {same.name}")
        return Described(manifest=same, new=False, notes=tuple(notes))
    name = free_name(entry.name, entry.sha256, known)
    taken = _keys(one for one in known.values() if one.name != name)
    aliases = tuple(text for text in entry.name.spellings if key_of(text) not in taken)
    twin = twin_of(entry.sha256, known)
    if twin is not None:
        notes.append(f"the registry knows it as another file of {twin.short}")
    made = ModelManifest(
        name=name,
        aliases=aliases,
        family=twin.family if twin else describe.family(header),
        summary=(twin.summary if twin else describe.title(header)) or str(entry.name),
        parameters=twin.parameters if twin else describe.parameters(header),
        license=twin.license if twin else _license(brought, header),
        purposes=twin.purposes if twin else ("chat",),
        file=ModelFile(
            filename=f"{name}.gguf",
            size=entry.size,
            sha256=entry.sha256,
            quantization=describe.quantization(header),
            sources=(FileSource(path=str(path)),),
        ),
        architecture=describe.architecture(header),
        # A header may promise more than the model was trained for.
        context_length=twin.context_length if twin else describe.context_length(header),
        defaults=brought,
        origin=f"{ORIGIN} ({entry.name})",
    )
    return Described(manifest=made, new=known.get(name) != made, notes=tuple(notes))


def free_name(name: OllamaName, sha256: str, known: Mapping[str, ModelManifest]) -> str:
    """A name in the registry: Ollama's, or one made from it where another model has that.

    An earlier import of the same name is replaced: Ollama has updated the model.
    """
    earlier = f"{ORIGIN} ({name})"
    taken = _keys(one for one in known.values() if one.origin != earlier)
    for text in (name.slug, f"ollama-{name.slug}"):
        if key_of(text) not in taken:
            return text
    return f"ollama-{name.slug}-{sha256[:8]}"


def _keys(manifests: Iterable[ModelManifest]) -> set[str]:
    """Every name and alias, in the form in which names are compared."""
    return {key_of(text) for one in manifests for text in (one.name, *one.aliases)}


def twin_of(sha256: str, known: Mapping[str, ModelManifest]) -> ModelManifest | None:
    """The model of which the registry knows Ollama's file, by its digest."""
    return next(
        (one for one in known.values() if sha256 in [twin.sha256 for twin in one.twins]), None
    )


def upstream(
    name: OllamaName, sha256: str, known: Mapping[str, ModelManifest]
) -> ModelManifest | None:
    """The registry's own manifest of the same model: by the digest of Ollama's file, else of
    what is probably the same by its name."""
    twin = twin_of(sha256, known)
    if twin is not None:
        return twin
    own = [one for one in known.values() if not one.origin.startswith(ORIGIN)]
    by_key = {key_of(text): one for one in own for text in (*one.aliases, one.name)}
    size = name.tag.partition("-")[0]
    spellings = (f"{name.model}:{name.tag}", f"{name.model}:{size}", name.model)
    return next((by_key[key_of(text)] for text in spellings if key_of(text) in by_key), None)


def defaults(entry: Entry, note: Callable[[str], None]) -> Defaults:
    """What the model brings along. `note` gets a sentence for each thing that is left out."""
    if entry.manifest is None:
        return Defaults()

    def text(kind: str) -> str:
        found = entry.manifest.of(kind) if entry.manifest else ()
        return "\n\n".join(layers.text(entry.store, layer) for layer in found)

    for kind, what in LEFT_OUT.items():
        if entry.manifest.of(kind):
            note(f"not imported: its {what}")
    options: dict[str, Option] = {}
    for layer in entry.manifest.of("params"):
        options |= _options(layers.content(entry.store, layer), note)
    return Defaults(
        system=text("system"),
        template=text("template"),
        options=options,
        license_text=text("license"),
    )


def _options(data: bytes, note: Callable[[str], None]) -> dict[str, Option]:
    """The parameters that are a text, a number, true or false, or a list of texts."""
    try:
        read: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        note("its parameters could not be read and are not imported")
        return {}
    kept: dict[str, Option] = {}
    for name, value in itertools.islice(read.items(), MAX_OPTIONS):
        try:
            kept[name] = msgspec.convert(value, Option)
        except msgspec.ValidationError:
            note(f"its parameter {ascii(name)[1:-1][:40]} is not imported: it has no simple value")
    if len(read) > MAX_OPTIONS:
        note(f"only {MAX_OPTIONS} of its {len(read)} parameters are imported")
    return kept


def _license(brought: Defaults, header: GgufHeader) -> License:
    """By the licence text that Ollama shows; without one, by the header."""
    by_text = licenses.of_text(brought.license_text)
    return describe.license_of(header) if by_text.id == licenses.UNKNOWN else by_text
