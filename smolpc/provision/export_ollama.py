"""A stored model for Ollama: a Modelfile beside which nothing is copied."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from smolpc import files, gguf
from smolpc.errors import UsageError
from smolpc.models import derive, lookup, storage
from smolpc.models.ollama import modelfile
from smolpc.schema.model import ModelManifest
from smolpc.schema.ollama_report import OllamaExportReport
from smolpc.store import Store

MODELFILE = "Modelfile"


def export(
    store: Store, name: str, out: Path, known: Mapping[str, ModelManifest]
) -> OllamaExportReport:
    """Write `out`/Modelfile for the installed model `name`.

    The model must be unchanged since it was verified; it is hashed where that is not certain.
    Raises UsageError when it is not here, and when a Modelfile of another model is in the way.
    """
    if not name:
        raise UsageError("name a model", next_step="smolpc models.export-ollama MODEL --out DIR")
    record = lookup.require_installed(store.models, name, known.values())
    path = storage.verified(store.models, record)
    manifest = known.get(record.name)
    if manifest is None or manifest.file.sha256 != record.sha256:
        with gguf.local_file(path) as stream:
            header = gguf.read_header(stream)
        manifest = derive.from_header(record.name, path, record.sha256, header)
    made = modelfile.render(manifest, path)
    target = out.absolute() / MODELFILE
    with files.explain_os_errors(out, "write the Modelfile"):
        if target.exists() and not _ours(target, made.text):
            raise UsageError(
                f"{target} is there already",
                why="it was not written for this model by smolpc, so it is kept",
                next_step=f"smolpc models.export-ollama {record.name} --out another-folder",
            )
        files.write_atomic(target, made.text.encode())
    return OllamaExportReport(
        model=record.name,
        modelfile=str(target),
        command=f"ollama create {record.name} -f {shlex.quote(str(target))}",
        notes=made.notes,
    )


def _ours(path: Path, text: str) -> bool:
    """Whether `path` begins with the line that smolpc writes for this model."""
    first = text.partition("\n")[0].encode()
    with path.open("rb") as stream:
        return stream.read(len(first) + 1) == first + b"\n"
