"""Builds a store as Ollama lays it out, and says whether anything in it was touched."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from smolpc import files
from tests.gguf import build as g

PREFIX = "application/vnd.ollama.image."
DOCKER = "application/vnd.docker."
TEMPLATE = "{{ if .System }}<|s|>{{ .System }}\n{{ end }}{{ .Prompt }}\n"
APACHE = "\n      Apache License\n  Version 2.0, January 2004\n  http://www.apache.org/licenses/\n"
WEIGHTS = [("token_embd.weight", (64, 32), g.F16), ("blk.0.attn_q.weight", (64, 64), g.Q4_0)]


def model(*extra: tuple[str, Any], arch: str = "llama", tensors: Any = WEIGHTS) -> bytes:
    """A small GGUF file with the header of a real model."""
    facts = [
        ("general.architecture", arch),
        ("general.name", "Tiny 1B"),
        ("general.basename", "Tiny"),
        ("general.license", "mit"),
        ("general.file_type", 2),
        (f"{arch}.block_count", 1),
        (f"{arch}.context_length", 4096),
        (f"{arch}.embedding_length", 64),
        (f"{arch}.feed_forward_length", 128),
        (f"{arch}.attention.head_count", 4),
        (f"{arch}.attention.head_count_kv", 2),
        ("tokenizer.ggml.tokens", [f"t{number}" for number in range(100)]),
    ]
    return g.build([*facts, *extra], g.placed(tensors))


class OllamaStore:
    """A store in `root`. `old` spells blobs as old versions did: `sha256:<hex>`."""

    def __init__(self, root: Path, *, old: bool = False) -> None:
        self.root, self.mark = root, ":" if old else "-"
        self.blobs = root / "blobs"
        self.blobs.mkdir(parents=True)
        (root / "manifests").mkdir()

    def blob(self, data: bytes) -> Path:
        return self.blobs / f"sha256{self.mark}{hashlib.sha256(data).hexdigest()}"

    def layer(self, kind: str, data: bytes) -> dict[str, Any]:
        """Store a blob; return its entry in a manifest."""
        self.blob(data).write_bytes(data)
        kind = kind if "/" in kind else PREFIX + kind
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def path(self, name: str, tag: str) -> Path:
        """Of a manifest; `name` may begin with a namespace."""
        whole = name if "/" in name else f"library/{name}"
        folder = self.root / "manifests" / "registry.ollama.ai" / whole
        folder.mkdir(parents=True, exist_ok=True)
        return folder / tag

    def write(self, name: str, tag: str, layers: list[dict[str, Any]], **changes: Any) -> Path:
        """A manifest of these layers."""
        config = self.layer(f"{DOCKER}container.image.v1+json", b'{"model_format":"gguf"}')
        whole = {
            "schemaVersion": 2,
            "mediaType": f"{DOCKER}distribution.manifest.v2+json",
            "config": config,
            "layers": layers,
        }
        path = self.path(name, tag)
        path.write_text(json.dumps({**whole, **changes}))
        return path

    def add(
        self, name: str = "tiny", tag: str = "1b", data: bytes | None = None, **texts: Any
    ) -> bytes:
        """A whole model as Ollama has it; returns the bytes of its GGUF file."""
        data = model() if data is None else data
        kinds = {"template": TEMPLATE, "license": APACHE, **texts}
        layers = [self.layer("model", data)]
        for kind, value in kinds.items():
            for text in value if isinstance(value, list) else [value]:
                plain = text if isinstance(text, str) else json.dumps(text)
                layers.append(self.layer(kind, plain.encode()))
        self.write(name, tag, layers)
        return data

    def state(self) -> tuple[str, dict[str, tuple[int, int, int]]]:
        """Digest of the tree, and size, time stamp and mode of every file and folder."""
        everything = [self.root, *self.root.rglob("*")]
        states = {path: path.lstat() for path in everything}
        return files.tree_digest(self.root), {
            str(path): (state.st_size, state.st_mtime_ns, state.st_mode)
            for path, state in states.items()
        }
