"""Model families as people write them: `recipes/models/<family>.yaml`.

The catalog expands a family into one flat `ModelManifest` for each file.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from smolpc.schema.base import Name, Sha256, Value
from smolpc.schema.model import (
    Architecture,
    Chunks,
    Defaults,
    Fill,
    License,
    ModelSource,
    Purpose,
    Twin,
)

Alias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9][a-z0-9._:/@-]*$", description="another name, in lower-case letters"
    ),
]
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 60)]


class FamilyFile(Value, kw_only=True):
    """One file of a model. A file without `sha256` must say in `unverified` why."""

    quantization: str
    filename: str
    size: Count  # bytes; 0: not known
    sources: tuple[ModelSource, ...]
    sha256: Sha256 | None = None
    unverified: str = ""  # why the digest is missing or rests on one source only
    chunks: Chunks | None = None
    name: Name | None = None  # default: the model's name and the quantization in lower case
    aliases: tuple[Alias, ...] = ()
    setup_default: bool = False  # `setup` takes it when no model is named
    tested_engines: tuple[str, ...] = ()  # engine versions that ran this very file
    known_as: tuple[Twin, ...] = ()
    defaults: Defaults | None = None
    parent: Sha256 | None = None
    origin: str = ""


class FamilyModel(Value, kw_only=True):
    """One size of a family. The first of its files is meant when no quantization is named."""

    name: Name  # "qwen2.5-coder-7b-instruct"
    tags: tuple[Name, ...] = ()  # what people type behind the colon, the shortest first: "7b"
    summary: str
    parameters: Count  # 0: not known
    context_length: Count  # tokens it was trained for; 0: the header of the file decides
    license: License | None = None  # default: the family's
    purposes: tuple[Purpose, ...] | None = None  # default: the family's
    architecture: Architecture | None = None
    draft: Alias | None = None  # a small model with the same tokens that may guess for this one
    files: tuple[FamilyFile, ...]


class Family(Value, kw_only=True):
    """One YAML file. `name` is the file's name and what people type before the colon."""

    name: Name
    family: str = ""  # where `name` is not the family: an own model in a file of its own
    also: tuple[Name, ...] = ()  # other spellings of the name
    default_tag: str = ""  # the size that the family's name alone means
    license: License | None = None
    purposes: tuple[Purpose, ...] = ("chat",)
    fill: Fill | None = None  # where its models were trained to fill a gap in a text
    models: tuple[FamilyModel, ...]
