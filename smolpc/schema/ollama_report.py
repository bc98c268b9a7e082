"""What `models.import-ollama` and `models.export-ollama` print with `--json`."""

from __future__ import annotations

from typing import Literal

from smolpc.schema.artifact import ModelRecord
from smolpc.schema.base import Bytes, Value


class OllamaRow(Value, kw_only=True):
    """One model in a store of Ollama."""

    name: str  # as Ollama spells it: "llama3.2:1b"
    store: str
    sha256: str  # of the model file, not yet verified; "" where there is none
    size: Bytes
    architecture: str
    quantization: str
    state: Literal["importable", "here", "unusable", "damaged"]
    why: str = ""  # why it is unusable or damaged
    model: str = ""  # smolpc's name of it, where it is here
    offer: str = ""  # a model of the registry that can be pulled instead


class OllamaListReport(Value, kw_only=True):
    format: int = 1
    stores: tuple[str, ...]
    models: tuple[OllamaRow, ...]


class Imported(Value, kw_only=True):
    """What became of one model. `code` is the exit code that its failure alone would have."""

    name: str
    state: Literal["imported", "here", "skipped", "failed"]
    model: str = ""
    path: str = ""
    record: ModelRecord | None = None
    checked: str = ""  # what the load test said about it
    notes: tuple[str, ...] = ()
    code: int = 0
    why: str = ""
    next: str = ""


class OllamaImportReport(Value, kw_only=True):
    format: int = 1
    models: tuple[Imported, ...]


class OllamaExportReport(Value, kw_only=True):
    format: int = 1
    model: str
    modelfile: str  # path
    command: str  # what makes the model in Ollama
    notes: tuple[str, ...] = ()
