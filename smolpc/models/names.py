"""What people type for a model, and the manifest it means.

`qwen2.5-coder:7b` (a name of the registry), `hf:owner/repo:file.gguf` or the address of that
page, any http(s) address of a .gguf file, or a path. What the registry does not know gives a
manifest without a digest, which a pull accepts only when the user says so.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from smolpc.catalog import Catalog, resolve_model
from smolpc.catalog.families import file_name_problem, hub_problem
from smolpc.errors import UsageError
from smolpc.models import licenses
from smolpc.net.places import host_of, local_path, shown
from smolpc.schema.base import Value
from smolpc.schema.model import (
    FileSource,
    HttpsSource,
    HubSource,
    License,
    ModelFile,
    ModelManifest,
    ModelSource,
)

HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
UNKNOWN_LICENSE = License(id=licenses.UNKNOWN, name="not known")
DRIVE = re.compile(r"[A-Za-z]:[\\/]")  # of Windows
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters or more: no drive
PART = re.compile(r"-\d{5}-of-\d{5}\.gguf$", re.IGNORECASE)
QUANTIZATION = re.compile(
    r"(?:^|[-._])(I?Q\d[A-Z0-9_]*|BF16|F16|F32|MXFP4(?:_MOE)?|TQ\d_\d)(?=[-._]|$)", re.IGNORECASE
)
HINT = "qwen2.5-coder:7b, hf:owner/repo:file.gguf, https://host/file.gguf or a path"


class Named(Value, kw_only=True):
    """A name or an alias of the registry."""

    name: str


class OnHub(Value, kw_only=True):
    """A file of a Hugging Face repository. `file` may also be a quantization, or empty."""

    repo: str
    revision: str = ""  # "": not said
    file: str = ""


class OnWeb(Value, kw_only=True):
    url: str


class OnDisk(Value, kw_only=True):
    path: str


Reference = Named | OnHub | OnWeb | OnDisk


def parse(text: str, *, endpoint: str = "") -> Reference:
    """What kind of thing `text` names. Looks at nothing but the text.

    `endpoint` is the user's own Hugging Face. Raises UsageError; its message never repeats a
    password or the query of an address.
    """
    text = text.strip()
    if not text or any(ord(letter) < 32 for letter in text):
        raise _wrong("no model is named", "the name is empty or holds a control character")
    lower = text.lower()
    if lower.startswith(("http://", "https://")):
        return _from_url(text, endpoint)
    if lower.startswith("file:"):
        return OnDisk(path=str(local_path(text)))
    if lower.startswith("hf:"):
        return _from_hub(text[3:].lstrip("/"))
    if other := SCHEME.match(text):
        raise _wrong(
            f"smolpc cannot fetch from {other[0]}",
            "a file on the web has an address with http:// or https://",
            f"name a model: {HINT}",
        )
    for host in HUB_HOSTS:
        if lower.startswith(f"{host}/"):
            return _from_hub(text[len(host) + 1 :])
    if _is_path(text):
        return OnDisk(path=text)
    return Named(name=text)


def _is_path(text: str) -> bool:
    """Whether this is written like a path, of this or of the other kind of system."""
    return (
        text.startswith(("~", "."))
        or DRIVE.match(text) is not None
        or "/" in text
        or "\\" in text
        or text.lower().endswith(".gguf")
    )


def _from_hub(text: str) -> OnHub:
    """`owner/repo[@revision][:file]`; also `owner/repo/file.gguf`."""
    place, _, file = text.partition(":")
    repo, _, revision = place.partition("@")
    steps = repo.split("/")
    if len(steps) > 2 and not file:
        repo, file = "/".join(steps[:2]), "/".join(steps[2:])
    is_file = file.lower().endswith(".gguf")
    problem = hub_problem(repo, revision or "main", file if is_file else "x.gguf")
    if problem or ("/" in file and not is_file):
        raise _wrong(
            f"'hf:{text}' is not a file of a Hugging Face repository",
            problem or "the file must end with .gguf",
            "smolpc models.pull hf:owner/repo:file.gguf",
        )
    return OnHub(repo=repo, revision=revision, file=file)


def _from_url(url: str, endpoint: str) -> OnHub | OnWeb:
    try:
        parts = urlsplit(url)
        named = parts.hostname is not None and parts.port != 0
    except ValueError:  # from urlsplit, or from a port that is no number
        named = False
    if not named:
        raise _wrong("this is not an address", "it names no host", f"name a model: {HINT}")
    if parts.username is not None or parts.password is not None:
        raise _wrong(
            f"the address of a file on {host_of(url)} holds a user name or a password",
            "it would end up in files and messages",
            "put it into ~/.netrc, or set HF_TOKEN for a Hugging Face repository",
        )
    root = urlsplit(endpoint).path.rstrip("/") if endpoint else ""
    own = endpoint != "" and host_of(url).lower() == host_of(endpoint).lower()
    if parts.hostname in HUB_HOSTS:
        return _from_page(parts.path, url)
    is_file = parts.path.lower().endswith(".gguf")
    if own and parts.path.startswith(f"{root}/"):
        page = parts.path[len(root) :]
        if not is_file or _is_hub_file(page.strip("/").split("/")):
            return _from_page(page, url)  # else: an ordinary file on the same server
    if not is_file:
        raise _wrong(
            f"{shown(url)} is not the address of a .gguf file",
            "its path does not end with .gguf",
            f"name a model: {HINT}",
        )
    return OnWeb(url=url.partition("#")[0])


def _is_hub_file(steps: list[str]) -> bool:
    return len(steps) >= 5 and steps[2] in ("resolve", "blob", "raw")


def _from_page(path: str, url: str) -> OnHub:
    """`owner/repo`, `owner/repo/resolve|blob|raw/revision/file`, from an address."""
    steps = [unquote(step) for step in path.strip("/").split("/")]
    if _is_hub_file(steps):
        found = OnHub(repo="/".join(steps[:2]), revision=steps[3], file="/".join(steps[4:]))
        problem = hub_problem(found.repo, found.revision, found.file)
    elif len(steps) == 2 or (len(steps) > 2 and steps[2] == "tree"):
        found = OnHub(repo="/".join(steps[:2]))
        problem = hub_problem(found.repo, "main", "x.gguf")
    else:
        problem = "it is no page of a model"
    if problem:
        raise _wrong(
            f"{shown(url)} is not a file of a Hugging Face repository",
            problem,
            f"name a model: {HINT}",
        )
    return found


def resolve(text: str, catalog: Catalog, *, endpoint: str = "") -> ModelManifest:
    """The manifest that `text` means. Raises UsageError with a did-you-mean.

    The registry's own manifest, with its digest, where it knows the same file.
    """
    found = catalog.registry.find(text)
    if found is None:
        reference = parse(text, endpoint=endpoint)
        found = known(reference, catalog) or outside(reference)
    return found


def known(reference: Reference, catalog: Catalog) -> ModelManifest | None:
    """The registry's manifest of the same file, or None. Raises UsageError for a name that
    nothing has, and for a repository without a file where it is not clear which is meant."""
    if isinstance(reference, Named):
        return resolve_model(catalog, reference.name)
    if isinstance(reference, OnHub):
        return _known_on_hub(reference, catalog)
    if isinstance(reference, OnWeb):
        wanted = HttpsSource(url=reference.url)
        every = catalog.models.values()
        return next((one for one in every if wanted in one.file.sources), None)
    return None


def _known_on_hub(wanted: OnHub, catalog: Catalog) -> ModelManifest | None:
    here = [
        (manifest, source)
        for manifest in catalog.models.values()
        for source in manifest.file.sources
        if isinstance(source, HubSource)
        and source.repo.lower() == wanted.repo.lower()
        and wanted.revision in ("", source.revision)
    ]
    if wanted.file.lower().endswith(".gguf"):
        return next((one for one, source in here if source.file == wanted.file), None)
    same = [one for one, _ in here if wanted.file.upper() in ("", one.file.quantization.upper())]
    if len(same) == 1:
        return same[0]
    raise _wrong(
        f"'hf:{wanted.repo}' does not say which file is meant",
        f"the registry knows: {', '.join(one.short for one, _ in here)}"
        if here
        else "the registry knows no file of that repository",
        f"smolpc models.pull hf:{wanted.repo}:FILE.gguf",
    )


def outside(reference: Reference) -> ModelManifest:
    """A manifest without a digest for a file outside the registry. Raises UsageError."""
    if isinstance(reference, OnHub):
        revision = f"@{reference.revision}" if reference.revision else ""
        short = f"hf:{reference.repo}{revision}:{reference.file}"
        source = HubSource(
            repo=reference.repo, revision=reference.revision or "main", file=reference.file
        )
        return unpinned(source, reference.file, short)
    if isinstance(reference, OnWeb):
        filename = unquote(urlsplit(reference.url).path)
        return unpinned(HttpsSource(url=reference.url), filename, shown(reference.url))
    if isinstance(reference, OnDisk):
        return _disk_file(reference.path)
    raise _wrong(f"'{reference.name}' is not a file", f"it is no {HINT.partition(', ')[2]}")


def _disk_file(text: str) -> ModelManifest:
    path, size, why = Path(text), -1, ""
    try:
        path = path.expanduser().absolute()
        if path.is_file():
            size = path.stat().st_size
        else:
            why = f"{path} is a folder" if path.is_dir() else f"{path} does not exist"
    except (OSError, RuntimeError) as error:  # RuntimeError: "~" of a user who is not there
        why = str(error)
    if size < 0:
        raise _wrong(f"there is no file {text}", why, f"name a model: {HINT}")
    return unpinned(FileSource(path=str(path)), path.name, text, key=str(path), size=size)


def unpinned(
    source: ModelSource, file: str, short: str, *, key: str = "", size: int = 0
) -> ModelManifest:
    """A manifest for a file of which only the place is known. `size` 0: not known.

    `key` (default: `short`) says which place it is: the same key gives the same name, under
    which a recorded pin is found again.
    """
    filename = file.replace("\\", "/").rpartition("/")[2]
    problem = file_name_problem(filename)
    if not problem and PART.search(filename) and not isinstance(source, FileSource):
        problem = "it is one part of a model that was split; such a model is used from a folder"
    if problem:
        raise _wrong(f"{short} cannot be used", problem, f"name a model: {HINT}")
    stem = filename[: -len(".gguf")]
    return ModelManifest(
        name=f"{slug(stem)}-{hashlib.sha256((key or short).encode()).hexdigest()[:8]}",
        aliases=(short,),
        family=slug(stem),
        summary=f"{stem}, not in the registry",
        parameters=0,
        license=UNKNOWN_LICENSE,
        file=ModelFile(
            filename=filename,
            size=size,
            sha256=None,
            quantization=quantization_in(filename),
            sources=(source,),
            unverified="nobody has pinned it; the first download is what will be trusted",
        ),
        context_length=0,
    )


def slug(text: str) -> str:
    """`text` as a name: lower-case letters, digits, '.', '_' and '-'."""
    plain = re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-._")
    return plain[:80].rstrip("-._") or "model"


def quantization_in(filename: str) -> str:
    """The quantization that a file name mentions, such as "Q4_K_M"; "" when it does not."""
    found = QUANTIZATION.findall(filename)
    return found[-1].upper() if found else ""


def _wrong(what: str, why: str, next_step: str = "smolpc models.list") -> UsageError:
    return UsageError(what, why=why, next_step=next_step)
