"""What is in Ollama's stores, and what of it can be used here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from smolpc import gguf
from smolpc.catalog.reading import did_you_mean
from smolpc.errors import SmolpcError, UsageError
from smolpc.models import describe
from smolpc.models.ollama import forms, manifest, names, stores
from smolpc.models.ollama.manifest import Layer, Manifest
from smolpc.models.ollama.names import OllamaName
from smolpc.schema.base import Bytes, Value
from smolpc.schema.gguf import GgufHeader


class Entry(Value, kw_only=True):
    """One model of Ollama. `obstacle` is why it cannot be used here ("": it can, as far as
    its header tells), `error` the error when something in the store is not as it must be."""

    name: OllamaName
    store: Path
    manifest: Manifest | None = None
    path: Path | None = None  # the blob of the model
    header: GgufHeader | None = None
    obstacle: str = ""
    error: SmolpcError | None = None

    @property
    def layer(self) -> Layer | None:
        models = self.manifest.of("model") if self.manifest else ()
        return models[0] if models else None

    @property
    def sha256(self) -> str:
        return self.layer.sha256 if self.layer else ""

    @property
    def size(self) -> Bytes:
        return self.layer.size if self.layer else 0

    @property
    def architecture(self) -> str:
        return self.header.architecture if self.header else ""

    @property
    def quantization(self) -> str:
        return describe.quantization(self.header) if self.header else ""


def entries(folders: Iterable[Path], known: Collection[str] = ()) -> list[Entry]:
    """Every model of these stores, headers read, nothing hashed. A name that an earlier
    store has is not taken from a later one. `known` are the engine's architectures."""
    found: dict[OllamaName, Entry] = {}
    for folder in folders:
        for parts, path in stores.manifests(folder):
            name = names.from_parts(*parts)
            if name is not None and name not in found:
                found[name] = entry(name, folder, path, known)
    return sorted(found.values(), key=lambda item: str(item.name))


def entry(name: OllamaName, store: Path, path: Path, known: Collection[str]) -> Entry:
    """One model. What is wrong with it is kept in the entry: the others must still be seen."""
    found = Entry(name=name, store=store)
    try:
        read = manifest.read(path)
        found = replace(found, manifest=read, obstacle=forms.missing(read))
        if found.obstacle:
            return found
        blob = manifest.blob(store, read.of("model")[0])
        with gguf.local_file(blob) as source:
            header = gguf.read_header(source)
    except SmolpcError as error:
        return replace(found, error=error)
    return replace(found, path=blob, header=header, obstacle=forms.obstacle(header, known))


def find(found: Sequence[Entry], text: str) -> Entry:
    """The model that a user named. Raises UsageError with a did-you-mean."""
    name = names.parse(text)
    for item in found:
        if item.name == name:
            return item
    spelled: Mapping[str, Entry] = {one: item for item in found for one in item.name.spellings}
    raise UsageError(
        f"Ollama has no model '{text}' here{did_you_mean(text, spelled)}",
        why=f"it has: {', '.join(str(item.name) for item in found) or 'none'}",
        next_step="smolpc models.import-ollama --list",
    )
