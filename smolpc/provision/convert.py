"""`models.convert`: a model in a Hugging Face folder becomes a stored GGUF model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from smolpc import files, gguf, pypi
from smolpc.build import converter, source
from smolpc.build.source import Tree
from smolpc.catalog import Catalog
from smolpc.errors import TrustError, UsageError
from smolpc.models import derive, describe, licenses, storage
from smolpc.provision.bring_in import Importer
from smolpc.schema.model import License, ModelManifest
from smolpc.schema.quantize_report import MadeReport
from smolpc.settings import Settings
from smolpc.store import gc

TYPES = ("F16", "BF16", "F32", "Q8_0")
# Bytes of the result for each byte of the weights, which mostly are 16-bit numbers.
GROWTH = {"F16": 1.0, "BF16": 1.0, "F32": 2.0, "Q8_0": 0.6}
WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth")
LICENSE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE")
MOST_LICENSE = 1 << 20  # bytes


def convert(
    importer: Importer,
    catalog: Catalog,
    settings: Settings,
    folder: Path,
    kind: str,
    *,
    name: str = "",
    install: bool = False,
    python: Path | None = None,
) -> MadeReport:
    """Convert the model in `folder` to `kind`, prove, store and register it.

    `python` is an interpreter that has what the converter needs; without one, smolpc's own
    environment is used, which `install` allows to be made. Raises UsageError (not a model's
    folder), PrerequisiteError, SpaceError, BuildError, TrustError.
    """
    wanted = kind.strip().upper()
    if wanted not in TYPES:
        raise UsageError(
            f"models cannot be converted to '{kind}'",
            why=f"the types are {', '.join(TYPES)}",
            next_step="smolpc models.convert DIR --type F16   (then smolpc models.quantize)",
        )
    origin = f"{derive.CONVERTED} {folder.name}"
    weights = require_model(folder)
    if name:
        derive.name_for(name, name, origin, "", catalog.models)
    tree = _source(importer, catalog, settings)
    interpreter = (
        converter.given_python(python)
        if python
        else converter.python_for(importer.store, tree, install=install, reporter=importer.reporter)
    )
    models, what = importer.store.models, f"convert {folder.name}"
    with files.explain_os_errors(models, what):
        files.require_space(models, int(weights * GROWTH[wanted] * 1.02), what)
        with gc.scratch(importer.store, ".converting-") as scratch:
            out = scratch / "result.gguf"
            converter.convert(
                interpreter, tree, folder.resolve(), wanted, out, reporter=importer.reporter
            )
            manifest = _manifest(out, folder, name, origin, catalog.models)
            record, tested = importer.bring_in(
                manifest, out, source=origin, how="move", verified=True
            )
    return MadeReport(
        model=manifest.name,
        parent=str(folder.resolve()),
        quantization=manifest.file.quantization,
        size=record.size,
        path=str(storage.path_of(models, record)),
        record=record,
        checked=tested.checks.get("model", "") if tested else "",
    )


def require_model(folder: Path) -> int:
    """Bytes of the weights in `folder`. Raises UsageError when it is no model's folder, and
    TrustError when it holds Python code, which the tokenizer's loader would run."""
    config = folder / "config.json"
    if not config.is_file():
        raise UsageError(
            f"{folder} is not the folder of a model",
            why="it has no config.json",
            next_step="smolpc models.convert DIR   (as downloaded from Hugging Face)",
        )
    try:
        known = isinstance(json.loads(config.read_bytes()), dict)
    except (ValueError, RecursionError):
        known = False
    if not known:
        raise UsageError(
            f"{config} is damaged", why="it is not a JSON object", next_step="get it again"
        )
    code = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py"))
    code += [
        f"{path.name} (its 'auto_map' names code)"
        for path in sorted(folder.glob("*.json"))
        if b"auto_map" in path.read_bytes()
    ]
    if code:
        raise TrustError(
            f"{folder.name} needs Python code of its own, which would run while it is converted",
            why=f"nobody has verified {', '.join(code[:5])}",
            next_step="get the model as GGUF: smolpc models.add hf:owner/repo:file.gguf",
        )
    weights = sum(path.stat().st_size for one in WEIGHTS for path in folder.glob(one))
    if not weights:
        raise UsageError(
            f"{folder} holds no weights",
            why=f"looked for {', '.join(WEIGHTS)}",
            next_step="get the whole model",
        )
    return weights


def _source(importer: Importer, catalog: Catalog, settings: Settings) -> Tree:
    """The engine's source, fetched again when it was collected. One setup at a time uses it."""
    store, recipe = importer.store, catalog.engine(settings.engine)
    with files.lock(
        store.lock_file("setup"),
        on_wait=lambda: importer.reporter.note("a setup is running in this store; waiting for it"),
        check=importer.reporter.check,
    ):
        return source.fetch(
            store,
            recipe,
            catalog.source("engines", recipe.name),
            settings=settings,
            index=pypi.load(offline=settings.offline),
            reporter=importer.reporter,
        )


def _manifest(
    path: Path, folder: Path, name: str, origin: str, known: Mapping[str, ModelManifest]
) -> ModelManifest:
    with gguf.local_file(path) as stream:
        header = gguf.read_header(stream)
    sha256 = files.sha256_file(path)
    kind = describe.quantization(header).lower()
    base = describe.slug(folder.resolve().name) or describe.family(header)
    chosen = derive.name_for(name, f"{base}-{kind}", origin, sha256, known)
    made = derive.from_header(chosen, path, sha256, header)
    found = made.license
    if found.id == licenses.UNKNOWN:
        found = _license(folder)
    return replace(made, origin=origin, license=found)


def _license(folder: Path) -> License:
    """The licence that lies beside the model."""
    for name in LICENSE_FILES:
        path = folder / name
        if path.is_file() and path.stat().st_size <= MOST_LICENSE:
            return licenses.of_text(path.read_text(encoding="utf-8", errors="replace"))
    return License(id=licenses.UNKNOWN)
