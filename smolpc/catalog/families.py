"""From the family files to flat manifests, and the names by which people call them.

Names are compared in lower case, with ':' and '-' alike: `Qwen2.5-Coder:7B`,
`qwen2.5-coder-7b`. One name never means two models: within one folder that is an error,
and a later folder (the user's own) wins over an earlier one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from smolpc.catalog.reading import Trail, convert, did_you_mean, fail, line_of, read_mapping
from smolpc.errors import UsageError
from smolpc.schema.family import Family, FamilyFile, FamilyModel
from smolpc.schema.model import HttpsSource, HubSource, ModelFile, ModelManifest

FORBIDDEN = set('/\\:*?"<>|')  # in a file name, on one system or another
LONGEST_NAME = 200  # bytes; 255 is the limit, and unfinished files have longer names
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{d}{n}" for d in ("COM", "LPT") for n in range(10))}


def key_of(name: str) -> str:
    """The form in which names are compared."""
    return name.strip().lower().replace(":", "-", 1)


@dataclass
class Models:
    """All manifests by name, weakest folder first, with their files and all their names."""

    manifests: dict[str, ModelManifest] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # key_of(name or alias) -> name

    def find(self, name: str) -> ModelManifest | None:
        found = self.names.get(key_of(name))
        return self.manifests[found] if found else None

    def spellings(self) -> list[str]:
        """Names and aliases as they are shown."""
        aliases = [alias for one in self.manifests.values() for alias in one.aliases]
        return [*self.manifests, *aliases]


def load_families(layers: Sequence[Sequence[Path]]) -> Models:
    """The models of all family files; each layer is one folder. Raises UsageError."""
    models = Models()
    for layer in layers:
        names: dict[str, str] = {}
        for path in layer:
            for manifest, trail in expand(convert(read_mapping(path), Family, path), path):
                _claim(manifest, trail, path, names)
                models.manifests.pop(manifest.name, None)  # a later one goes to the end
                models.manifests[manifest.name] = manifest
                models.files[manifest.name] = path
        models.names |= names
    for manifest in models.manifests.values():
        if manifest.draft and models.find(manifest.draft) is None:
            what = f"'draft' of {manifest.name} names no model: '{manifest.draft}'"
            known = did_you_mean(manifest.draft, models.spellings())
            fail(models.files[manifest.name], what + known)
    return models


def _claim(manifest: ModelManifest, trail: Trail, path: Path, names: dict[str, str]) -> None:
    """Enter all names of a manifest. Raises UsageError when one of them is taken."""
    spellings = {key_of(one): one for one in (*manifest.aliases, manifest.name)}
    for key, spelling in spellings.items():
        if key in names:
            fail(
                path,
                f"'{spelling}' is already a name of the model {names[key]}",
                line=line_of(path, trail),
                why="a name must mean one model",
            )
    names |= dict.fromkeys(spellings, manifest.name)


def expand(family: Family, path: Path) -> Iterator[tuple[ModelManifest, Trail]]:
    """The manifests of one family, in the order of the file, each with its place in it.

    Raises UsageError with the line of what is missing or contradicts itself.
    """
    tags = [tag for model in family.models for tag in model.tags]
    if family.default_tag and family.default_tag not in tags:
        what = f"'default_tag' names no model: '{family.default_tag}'"
        fail(
            path,
            what + did_you_mean(family.default_tag, tags),
            line=line_of(path, ("default_tag",)),
        )
    for i, model in enumerate(family.models):
        if not model.files:
            fail(path, f"{model.name} has no files", line=line_of(path, ("models", i, "files")))
        for j, entry in enumerate(model.files):
            trail: Trail = ("models", i, "files", j)
            _check(entry, path, trail)
            yield _manifest(family, model, entry, path, trail), trail


def _manifest(
    family: Family, model: FamilyModel, entry: FamilyFile, path: Path, trail: Trail
) -> ModelManifest:
    license_ = model.license or family.license
    if license_ is None:
        fail(path, f"{model.name} has no license", line=line_of(path, trail[:2]))
    return ModelManifest(
        name=entry.name or f"{model.name}-{entry.quantization.lower()}",
        aliases=tuple(dict.fromkeys((*entry.aliases, *_aliases(family, model, entry)))),
        family=family.family or family.name,
        summary=model.summary,
        parameters=model.parameters,
        license=license_,
        purposes=model.purposes or family.purposes,
        file=ModelFile(
            filename=entry.filename,
            size=entry.size,
            sha256=entry.sha256,
            quantization=entry.quantization,
            sources=entry.sources,
            unverified=entry.unverified,
            chunks=entry.chunks,
        ),
        architecture=model.architecture,
        context_length=model.context_length,
        tested_engines=entry.tested_engines,
        default=entry.setup_default,
        defaults=entry.defaults,
        parent=entry.parent,
        origin=entry.origin,
        twins=entry.known_as,
        fill=family.fill,
        draft=model.draft or "",
    )


def _aliases(family: Family, model: FamilyModel, entry: FamilyFile) -> Iterator[str]:
    """What people type in such tools: "family:7b" for the first file of a size,
    "family:7b-q8_0" for each, "family" for the default size."""
    first = entry is model.files[0]
    for stem in (family.name, *family.also):
        for tag in model.tags:
            if first:
                yield f"{stem}:{tag}"
            yield f"{stem}:{tag}-{entry.quantization.lower()}"
        if first and family.default_tag in model.tags:
            yield from (stem, f"{stem}:latest")
    if first and model.tags:
        yield model.name


def _check(entry: FamilyFile, path: Path, trail: Trail) -> None:
    """What the types cannot say."""

    def wrong(key: str, what: str, why: str = "") -> None:
        fail(path, what, line=line_of(path, (*trail, key)), why=why)

    if entry.sha256 is None and not entry.unverified:
        wrong(
            "filename",
            f"the file {entry.filename} has no sha256",
            "a pin without a digest does not load; 'unverified' says why one is missing",
        )
    problem = file_name_problem(entry.filename)
    if problem:
        wrong("filename", f"'{entry.filename!r}' is not a file name: {problem}")
    chunks = entry.chunks
    if chunks is not None and len(chunks.sha256) != -(-entry.size // chunks.size):
        wrong("chunks", f"the chunks of {entry.filename} do not add up to its size")
    if not entry.sources and not entry.origin:  # one that was made here comes from nowhere
        wrong("sources", f"the file {entry.filename} has no sources")
    for source in entry.sources:
        problem = source_problem(source)
        if problem:
            wrong("sources", f"a source of {entry.filename} is wrong: {problem}")


def file_name_problem(filename: str) -> str:
    """Why this cannot be the name of a model file on every system; "" when it can."""
    if set(filename) & FORBIDDEN or any(ord(letter) < 32 for letter in filename):
        return "it holds a character that file names cannot have"
    if len(filename.encode()) > LONGEST_NAME:
        return f"it is longer than {LONGEST_NAME} bytes"
    if filename.partition(".")[0].upper() in RESERVED:
        return "Windows keeps this name for a device"
    if filename.startswith((".", " ")) or not filename.lower().endswith(".gguf"):
        return "it must end with .gguf and begin with a letter or digit"
    return ""


def source_problem(source: object) -> str:
    """Why a source is refused; "" when it is fine. Never repeats a password."""
    if isinstance(source, HttpsSource):
        try:
            parts = urlsplit(source.url)
        except ValueError:
            return "the address is not a URL"
        if parts.scheme not in ("https", "http") or not parts.hostname:
            return "the address must begin with https:// or http://"
        if parts.username is not None or parts.password is not None:
            return "the address holds a user name or a password"
    if isinstance(source, HubSource):
        return hub_problem(source.repo, source.revision, source.file)
    return ""


def hub_problem(repo: str, revision: str, file: str) -> str:
    """Why this cannot be a file of a Hugging Face repository; "" when it can."""
    owner, _, name = repo.partition("/")
    if not owner or not name:
        return "a repository is written owner/repo"
    for part, word in ((owner, "the owner"), (name, "the repository"), (revision, "the revision")):
        plain = part.replace("/", "-") if word == "the revision" else part
        if not plain or not all(c.isascii() and (c.isalnum() or c in "._-") for c in plain):
            return f"{word} may hold only letters, digits, '.', '_' and '-'"
        if ".." in part or not part[0].isalnum():
            return f"{word} must begin with a letter or digit and hold no '..'"
    steps = file.split("/")
    if any(step in ("", ".", "..") for step in steps):
        return "the file must be a path inside the repository"
    return file_name_problem(steps[-1])


def unknown_model(models: Models, name: str) -> UsageError:
    """The error for a name that nothing has, with a did-you-mean."""
    count = len(models.manifests)
    return UsageError(
        f"there is no model '{name}'{did_you_mean(name, models.spellings())}",
        why=f"it is none of the {count} that smolpc models.list --all shows",
        next_step="smolpc models.list --all",
    )
