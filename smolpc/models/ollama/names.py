"""Model names as Ollama spells them: host/namespace/model:tag, most parts left out."""

from __future__ import annotations

import re

from smolpc.errors import UsageError
from smolpc.schema.base import Value

HOST, NAMESPACE, TAG = "registry.ollama.ai", "library", "latest"

# Each part is a folder or a file name in the store: no separators, no "..", nothing hidden.
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
HOST_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")


class OllamaName(Value, kw_only=True):
    """A whole name. `str()` gives it as `ollama list` does."""

    host: str = HOST
    namespace: str = NAMESPACE
    model: str
    tag: str = TAG

    def __str__(self) -> str:
        path = f"{self.model}:{self.tag}"
        if (self.host, self.namespace) == (HOST, NAMESPACE):
            return path
        path = f"{self.namespace}/{path}"
        return path if self.host == HOST else f"{self.host}/{path}"

    @property
    def slug(self) -> str:
        """The name as one of smolpc's: "llama3.2-1b". The tag "latest" is left out."""
        parts = [] if self.namespace == NAMESPACE else [self.namespace]
        parts += [self.model] if self.tag == TAG else [self.model, self.tag]
        text = re.sub(r"[^a-z0-9._-]+", "-", "-".join(parts).lower())
        return text.strip("._-") or "model"

    @property
    def spellings(self) -> tuple[str, ...]:
        """What a user may type for it."""
        whole = str(self)
        return (whole, whole.removesuffix(f":{TAG}")) if self.tag == TAG else (whole,)


def from_parts(host: str, namespace: str, model: str, tag: str) -> OllamaName | None:
    """The name of the manifest `<host>/<namespace>/<model>/<tag>`, None if it is none."""
    parts = (namespace, model, tag)
    if not HOST_PART.fullmatch(host) or not all(PART.fullmatch(part) for part in parts):
        return None
    return OllamaName(host=host, namespace=namespace, model=model, tag=tag)


def parse(text: str) -> OllamaName:
    """What a user typed. Raises UsageError when no model can have that name."""
    path, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:  # "localhost:5000/me/model" has a port, no tag
        path, tag = text, TAG
    parts = path.split("/")
    if 1 <= len(parts) <= 3:
        host, namespace, model = [HOST, NAMESPACE, ""][: 3 - len(parts)] + parts
        found = from_parts(host, namespace, model, tag)
        if found is not None:
            return found
    raise UsageError(
        f"'{text}' is not a name of Ollama",
        why="a name is MODEL:TAG, such as llama3.2:1b, or NAMESPACE/MODEL:TAG",
        next_step="smolpc models.import-ollama --list",
    )
