"""The user's own models, as family files in the user's recipes folder, and the licences
that may be pulled."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec

from smolpc import files, settings
from smolpc.catalog import Catalog, load_catalog
from smolpc.catalog.families import load_families
from smolpc.errors import UsageError
from smolpc.models import licenses
from smolpc.schema.base import without_defaults
from smolpc.schema.family import Family, FamilyFile, FamilyModel
from smolpc.schema.model import ModelManifest

HEAD = "# Written by smolpc ({how}). Yours to edit; 'smolpc models.forget {name}' removes it.\n"


def folder() -> Path:
    """Where the user's own models are declared."""
    return settings.own_recipes() / "models"


def write(
    manifest: ModelManifest, *, catalog: Catalog | None = None, force: bool = False, how: str = ""
) -> Path:
    """Declare an own model, and return the file: `<own recipes>/models/<name>.yaml`.

    The file appears whole or not at all. A name that means another model of `catalog`
    (default: the built-in one with the user's own) is refused, unless `force`: then it means
    this one from now on. Raises UsageError, also for a manifest that could not be read back.
    """
    if catalog is None:
        own = settings.own_recipes()
        catalog = load_catalog(recipe_dirs=[own] if own.is_dir() else [])
    family = _family(manifest)
    if not force:
        _refuse_taken(manifest, catalog)
    how = "".join(letter for letter in how or manifest.origin if letter.isprintable())
    text = HEAD.format(how=how or "models.add", name=manifest.name) + _yaml(family)
    _require_readable(text, manifest.name)
    path = folder() / f"{manifest.name}.yaml"
    _require_alone(path, manifest.name, "choose another name with --name")
    with files.explain_os_errors(path.parent, "declare a model"):
        files.write_atomic(path, text.encode())
    return path


def _refuse_taken(manifest: ModelManifest, catalog: Catalog) -> None:
    for spelling in (manifest.name, *manifest.aliases):
        owner = catalog.registry.find(spelling)
        if owner is None or (owner.name == manifest.name and _may_replace(manifest, owner)):
            continue
        raise UsageError(
            f"'{spelling}' is already a name of the model {owner.name}",
            why=f"it is declared in {catalog.source('models', owner.name)}",
            next_step="choose another name with --name, or replace it with --force",
        )


def _may_replace(manifest: ModelManifest, owner: ModelManifest) -> bool:
    """Whether both are the same file: the same digest, or none and the same sources."""
    one, other = manifest.file, owner.file
    if other.sha256 is None:
        return one.sources == other.sources
    return one.sha256 == other.sha256


def _require_readable(text: str, name: str) -> None:
    """Raise UsageError when the catalog would not read this text."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            load_families([[path]])
        except UsageError as error:
            raise UsageError(
                f"the model '{name}' cannot be declared",
                why=error.what.removeprefix(f"{path}:"),
                next_step="smolpc --help models.add",
            ) from error


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
                        chunks=file.chunks,
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


def _yaml(family: Family) -> str:
    """The family as YAML, without what has its default value."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes the line breaks that only Unicode knows as escapes: YAML would fold them."""

        def represent_text(self, text: str) -> yaml.Node:
            style = '"' if set(text) & {"\x85", "\u2028", "\u2029"} else None
            return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, Dumper.represent_text)
    text: str = yaml.dump(
        without_defaults(family),
        Dumper=Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=False,
    )
    return text


def _require_alone(path: Path, name: str, next_step: str) -> None:
    """Raise UsageError when the file declares other models than `name`, too."""
    if not path.is_file():
        return
    others = [one for one in load_families([[path]]).manifests if one != name]
    if others:
        raise UsageError(
            f"{path} declares other models, too",
            why=f"{', '.join(others)} would be lost",
            next_step=f"{next_step}, or edit the file",
        )


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
    _require_alone(own[0], found.name, "smolpc models.list --all")
    with files.explain_os_errors(own[0], "forget a model"):
        own[0].unlink()
    return own[0]


def forget_if_made_here(sha256: str, catalog: Catalog) -> None:
    """Remove the declaration of a model that nothing can fetch again once its file is gone."""
    for manifest in list(catalog.models.values()):
        if (
            manifest.file.sha256 == sha256
            and not manifest.file.sources
            and is_own(manifest, catalog)
        ):
            forget(manifest.name, catalog)


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
    if licence.id == licenses.UNKNOWN:
        return f"the licence of {manifest.short} is not known: look it up before you use it"
    if licence.commercial is False:
        return f"{manifest.short} is not for commercial use: {named}{where}"
    if licence.commercial is None:
        return f"{manifest.short} has conditions of use: {named}{where}"
    return ""
