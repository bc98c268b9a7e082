"""The user's own models, as family files in the user's recipes folder, and the licences
that may be pulled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from smolpc import files, settings
from smolpc.catalog import Catalog, load_catalog
from smolpc.catalog.families import key_of, load_families
from smolpc.errors import UsageError
from smolpc.schema.family import Family, FamilyFile, FamilyModel
from smolpc.schema.model import ModelManifest

HEAD = """\
# yaml-language-server: $schema=https://json-schema.org/draft/2020-12/schema
# Written by smolpc ({how}). Yours to edit; 'smolpc models.forget {name}' removes it.
"""


def folder() -> Path:
    """Where the user's own models are declared."""
    return settings.own_recipes() / "models"


def write(
    manifest: ModelManifest, *, catalog: Catalog | None = None, force: bool = False, how: str = ""
) -> Path:
    """Declare an own model, and return the file: `<own recipes>/models/<name>.yaml`.

    The file appears whole or not at all. Writing the same again changes nothing. Names that
    mean another model of `catalog` (default: the built-in one and the user's own) are refused;
    `force` replaces an own model of that name, and takes over a built-in one's. Raises
    UsageError, also for a manifest that could not be read back.
    """
    if catalog is None:
        own = settings.own_recipes()
        catalog = load_catalog(recipe_dirs=[own] if own.is_dir() else [])
    family = _family(manifest)
    there = catalog.registry.manifests.get(manifest.name)
    path = folder() / f"{manifest.name}.yaml"
    if there == _as_read(family) and path.is_file():
        return path
    if not force:
        _refuse_taken(manifest, catalog)
    text = HEAD.format(how=how or manifest.origin or "models.add", name=manifest.name)
    with files.explain_os_errors(path.parent, "declare a model"):
        files.write_atomic(path, (text + _yaml(family)).encode())
    return path


def _refuse_taken(manifest: ModelManifest, catalog: Catalog) -> None:
    for spelling in (manifest.name, *manifest.aliases):
        owner = catalog.registry.find(spelling)
        if owner is not None and (owner.name != manifest.name or spelling == manifest.name):
            raise UsageError(
                f"'{spelling}' is already a name of the model {owner.name}",
                why=f"it is declared in {catalog.source('models', owner.name)}",
                next_step="choose another name with --name, or replace it with --force",
            )


def _family(manifest: ModelManifest) -> Family:
    """The family file that holds just this model. Raises UsageError when it is not valid."""
    file = manifest.file
    made = Family(
        name=manifest.name,
        family="" if manifest.family == manifest.name else manifest.family,
        license=manifest.license,
        purposes=manifest.purposes,
        models=(
            FamilyModel(
                name=manifest.name,
                summary=manifest.summary,
                parameters=manifest.parameters,
                context_length=manifest.context_length,
                architecture=manifest.architecture,
                files=(
                    FamilyFile(
                        name=manifest.name,
                        aliases=tuple(dict.fromkeys(alias.lower() for alias in manifest.aliases)),
                        quantization=file.quantization,
                        filename=file.filename,
                        size=file.size,
                        sha256=file.sha256,
                        unverified=file.unverified,
                        sources=file.sources,
                        tested_engines=manifest.tested_engines,
                        known_as=manifest.twins,
                        defaults=manifest.defaults,
                        parent=manifest.parent,
                        origin=manifest.origin,
                    ),
                ),
            ),
        ),
    )
    try:
        return msgspec.convert(msgspec.to_builtins(made), Family)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"the model '{manifest.name}' cannot be declared",
            why=str(error),
            next_step="choose another name with --name: lower-case letters, digits, '.', '_', '-'",
        ) from error


def _as_read(family: Family) -> ModelManifest:
    """The manifest as the catalog would read it. Raises UsageError as the catalog would."""
    from smolpc.catalog.families import expand

    return next(manifest for manifest, _ in expand(family, folder() / f"{family.name}.yaml"))


def _yaml(family: Family) -> str:
    """The family as YAML, without what has its default value."""
    import yaml

    text: str = yaml.safe_dump(
        _sparse(family), sort_keys=False, allow_unicode=True, width=100, default_flow_style=False
    )
    return text


def _sparse(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        tag = {config.tag_field: config.tag} if config.tag_field else {}
        fields = msgspec.structs.fields(value)
        shown = {field.name: getattr(value, field.name) for field in fields}
        return tag | {
            field.name: _sparse(shown[field.name])
            for field in fields
            if field.required or shown[field.name] != field.default
        }
    if isinstance(value, tuple):
        return [_sparse(item) for item in value]
    if isinstance(value, dict):
        return {key: _sparse(item) for key, item in value.items()}
    return value


def forget(name: str, catalog: Catalog) -> Path:
    """Remove the declaration of an own model; the file of the model stays. Raises UsageError
    for a model that is not declared alone in the user's own folder."""
    found = catalog.registry.find(name)
    own = [path for path in folder().glob("*.yaml") if found and path.stem == found.name]
    if found is None or not own or catalog.source("models", found.name) != own[0]:
        mine = sorted(path.stem for path in folder().glob("*.yaml"))
        raise UsageError(
            f"'{name}' is not one of your own models",
            why=f"yours, in {folder()}: {', '.join(mine) or 'none'}",
            next_step="smolpc models.list --all",
        )
    with files.explain_os_errors(own[0], "forget a model"):
        own[0].unlink()
    return own[0]


def is_own(manifest: ModelManifest, catalog: Catalog) -> bool:
    """Whether the model is declared in the user's own folder."""
    path = catalog.registry.files.get(manifest.name)
    return path is not None and path.parent == folder()


def require_licence(manifest: ModelManifest, allowed: str) -> None:
    """Raise UsageError when `allowed`, the setting `licenses`, leaves this licence out.

    It holds licence ids separated by spaces; empty allows all.
    """
    ids = allowed.lower().split()
    if ids and manifest.license.id.lower() not in ids:
        raise UsageError(
            f"the licence of the model {manifest.short} is not allowed here: {manifest.license.id}",
            why=f"the setting 'licenses' allows: {' '.join(allowed.split())}",
            next_step="smolpc models.list --all   (or ask whoever set 'licenses':"
            " smolpc config.show says where)",
        )


def licence_note(manifest: ModelManifest) -> str:
    """What a user should know about the licence before using the model; "" when nothing."""
    licence = manifest.license
    named = licence.name or licence.id
    where = f": {licence.url}" if licence.url else ""
    if licence.commercial is False:
        return f"{manifest.short} is not for commercial use: {named}{where}"
    if licence.commercial is None:
        return f"{manifest.short} has conditions of use, or unknown ones: {named}{where}"
    return ""


def read_back(path: Path) -> ModelManifest:
    """The first model of an own family file. Raises UsageError with the line."""
    return next(iter(load_families([[path]]).manifests.values()))


def same_name(one: str, other: str) -> bool:
    """Whether two spellings mean the same model."""
    return key_of(one) == key_of(other)
