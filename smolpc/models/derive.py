"""The manifest of a model that was made here from another one: quantized, or converted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from smolpc.catalog.families import key_of
from smolpc.errors import UsageError
from smolpc.models import describe
from smolpc.schema.base import Value
from smolpc.schema.gguf import GgufHeader
from smolpc.schema.model import ModelFile, ModelManifest

QUANTIZED, CONVERTED = "quantized from", "converted from"


class Original(Value, kw_only=True):
    """What a model is made from. `manifest` is None for a file that no registry knows."""

    path: Path
    sha256: str
    header: GgufHeader
    name: str
    manifest: ModelManifest | None = None

    @property
    def quantization(self) -> str:
        return describe.quantization(self.header)

    @property
    def makes(self) -> str:
        """The origin of what is quantized from it, for people."""
        return f"{QUANTIZED} {self.name} ({self.quantization})"


def from_header(name: str, path: Path, sha256: str, header: GgufHeader) -> ModelManifest:
    """The manifest of the file `path`, by what its header says."""
    return ModelManifest(
        name=name,
        family=describe.family(header),
        summary=describe.title(header) or name,
        parameters=describe.parameters(header),
        license=describe.license_of(header),
        file=ModelFile(
            filename=f"{name}.gguf",
            size=path.stat().st_size,
            sha256=sha256,
            quantization=describe.quantization(header),
            sources=(),
        ),
        architecture=describe.architecture(header),
        context_length=describe.context_length(header),
    )


def quantized(
    original: Original,
    path: Path,
    sha256: str,
    header: GgufHeader,
    *,
    name: str,
    known: Mapping[str, ModelManifest],
) -> ModelManifest:
    """The manifest of `path`, quantized from `original`, whose facts and licence it inherits.

    `name` "" makes one from the original's. Raises UsageError for a name that is taken.
    """
    kind = describe.quantization(header)
    chosen = name_for(name, f"{_base(original)}-{kind.lower()}", original.makes, sha256, known)
    made = from_header(chosen, path, sha256, header)
    taken = _keys(one for one in known.values() if one.name != chosen)
    source = original.manifest
    if source is not None:
        made = replace(
            made,
            family=source.family,
            summary=source.summary,
            parameters=source.parameters,
            license=source.license,
            purposes=source.purposes,
            context_length=source.context_length,
            defaults=source.defaults,
        )
    aliases = (f"{one}-{kind.lower()}" for one in (source.aliases if source else ()) if ":" in one)
    return replace(
        made,
        aliases=tuple(one for one in aliases if key_of(one) not in taken)[:1],
        parent=original.sha256,
        origin=original.makes,
    )


def _base(original: Original) -> str:
    """The original's name without its quantization: "smollm2-135m-instruct"."""
    text = describe.slug(original.name).removesuffix(".gguf")
    quantization = original.quantization.lower()
    for ending in (quantization, quantization.replace("_", "-")):
        if text.endswith(ending) and len(text) > len(ending):
            return text.removesuffix(ending).strip("._-")
    return text


def name_for(
    asked: str, default: str, origin: str, sha256: str, known: Mapping[str, ModelManifest]
) -> str:
    """The name of a new model: the one that was asked for, which must be free, else `default`
    or a variant of it. A model of the same origin is replaced. Raises UsageError."""
    taken = _keys(one for one in known.values() if one.origin != origin)
    if asked:
        if describe.slug(asked) != asked:
            raise UsageError(
                f"'{asked}' cannot be the name of a model",
                why="a name has lower-case letters, digits, '.', '_' and '-'",
                next_step=f"--name {describe.slug(asked) or 'my-model'}",
            )
        if key_of(asked) in taken:
            raise UsageError(
                f"there is a model named '{asked}' already",
                why="a name means one model",
                next_step="choose another --name; smolpc models.list shows those in use",
            )
        return asked
    for text in (default, f"own-{default}"):
        if key_of(text) not in taken:
            return text
    return f"own-{default}-{sha256[:8]}"


def _keys(manifests: Iterable[ModelManifest]) -> set[str]:
    return {key_of(text) for one in manifests for text in (one.name, *one.aliases)}
