"""One manifest of Ollama: strict reading of a file that anything may have written.

The format is that of container images, version 2: a list of layers, each a media type, a
digest and a size; the bytes of a layer are the blob of that digest.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from smolpc.errors import PrerequisiteError, TrustError
from smolpc.models.ollama.stores import BLOBS, LIST, unreadable
from smolpc.schema.base import Bytes

PREFIX = "application/vnd.ollama.image."
MAX_MANIFEST = 4 << 20  # bytes; a usual one has a thousand
MAX_TEXT = 1 << 20  # bytes of a template, a system prompt, a licence, parameters
MAX_LAYERS = 10_000

MISSING = re.compile(r"Object missing required field `(.+)`")
KIND = re.compile(r"Expected `object`")
MEANT = {
    "schemaVersion": "2, the only version there is",
    "layers": f"a list of at most {MAX_LAYERS} layers",
    "mediaType": "text",
    "digest": "'sha256:' and 64 hexadecimal digits",
    "size": "a number of bytes",
}
LAYER = "a layer with mediaType, digest and size"
# \Z, because $ would let a line break through.
Digest = Annotated[str, msgspec.Meta(pattern=r"\Asha256:[0-9a-f]{64}\Z")]


class Layer(msgspec.Struct, frozen=True, kw_only=True, rename={"media_type": "mediaType"}):
    """One blob and what it is. Fields that smolpc does not need are not read."""

    media_type: str
    digest: Digest
    size: Bytes

    @property
    def sha256(self) -> str:
        return self.digest.removeprefix("sha256:")


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename={"version": "schemaVersion"}):
    version: Literal[2]
    layers: Annotated[tuple[Layer, ...], msgspec.Meta(max_length=MAX_LAYERS)]

    def of(self, kind: str) -> tuple[Layer, ...]:
        """The layers of one kind: "model", "template", "license", ..."""
        return tuple(layer for layer in self.layers if layer.media_type == PREFIX + kind)


def read(path: Path) -> Manifest:
    """The manifest in `path`. Raises TrustError when it is none."""
    data = _read(path, _regular(path), MAX_MANIFEST)
    try:
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise refused(f"{path} is not a manifest", plain(str(error))) from error


def plain(problem: str) -> str:
    """What is wrong with a manifest, from msgspec's message, such as
    "Expected `int`, got `str` - at `$.layers[0].size`"."""
    what, at, place = problem.partition(" - at `$")
    where = place.rstrip("`").lstrip(".")
    if lacking := MISSING.match(what):
        return f"{where or 'it'} has no {lacking[1]}"
    if not at:
        return "it is not a JSON object" if KIND.match(what) else "it is not valid JSON"
    return f"{where} is not {MEANT.get(where.rpartition('.')[2], LAYER)}"


def blob(store: Path, layer: Layer) -> Path:
    """The file of a layer: inside the store, a regular file of the stated size.

    Stores of old versions spell it `sha256:<hex>`. Raises TrustError or PrerequisiteError.
    """
    folder = store / BLOBS
    for name in (f"sha256-{layer.sha256}", f"sha256:{layer.sha256}"):
        path = folder / name
        if not os.path.lexists(path):
            continue
        real = path.resolve()
        if not real.is_relative_to(store.resolve()):
            raise refused(f"the blob {path} is a link out of the store", f"it leads to {real}")
        size = _regular(real).st_size
        if size != layer.size:
            raise refused(
                f"the blob {path} is not complete",
                f"it has {size} bytes, the manifest says {layer.size}",
            )
        return real
    raise PrerequisiteError(
        "a blob of the model is missing in Ollama's store",
        why=f"sha256-{layer.sha256[:12]}… is not in {folder}: its download never ended",
        next_step=f"pull it again with Ollama, then: {LIST}",
    )


def content(store: Path, layer: Layer) -> bytes:
    """The bytes of a small layer, verified. Raises TrustError or PrerequisiteError."""
    path = blob(store, layer)
    data = _read(path, path.stat(), MAX_TEXT)
    digest = hashlib.sha256(data).hexdigest()
    if digest != layer.sha256:
        raise refused(f"the blob {path} was changed", f"its sha256 is {digest}")
    return data


def text(store: Path, layer: Layer) -> str:
    """`content` as text."""
    try:
        return content(store, layer).decode()
    except UnicodeDecodeError as error:
        raise refused(f"the layer {layer.digest} is not text", "its bytes are not UTF-8") from error


def _regular(path: Path) -> os.stat_result:
    try:
        state = path.stat(follow_symlinks=False)
    except FileNotFoundError as error:
        raise refused(f"{path} does not exist", "a link in the store leads nowhere") from error
    except OSError as error:
        raise unreadable(path) from error
    if not stat.S_ISREG(state.st_mode):
        raise refused(f"{path} is not a file", "a folder, a link or a device has its name")
    return state


def _read(path: Path, state: os.stat_result, most: int) -> bytes:
    if state.st_size > most:
        raise refused(f"{path} is too large", f"{state.st_size} bytes, at most {most} make sense")
    try:
        with path.open("rb") as stream:
            return stream.read(most + 1)
    except OSError as error:
        raise unreadable(path) from error


def refused(what: str, why: str) -> TrustError:
    """Something in Ollama's store that must not be used."""
    return TrustError(what, why=why, next_step=f"pull the model again with Ollama, then: {LIST}")
