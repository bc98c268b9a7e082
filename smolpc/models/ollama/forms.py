"""Which of Ollama's files the engine cannot load, and why: told from the header, before
gigabytes are hashed. What is not told here is found out by the load test.

For some architectures Ollama has an engine of its own, and stores the model in a form only
that engine reads: under another architecture name, or with the vision or audio part inside
the language model's file, where llama.cpp wants a file of its own (`mmproj`).
"""

from __future__ import annotations

from collections.abc import Collection

from smolpc.models.ollama.manifest import Manifest
from smolpc.schema.gguf import GgufHeader

# Ollama's name of an architecture -> llama.cpp's; "": llama.cpp has none of the kind.
OWN_NAMES = {
    "gptoss": "gpt-oss",
    "qwen25vl": "qwen2vl",
    "mllama": "",
    "deepseekocr": "deepseek2-ocr",
}
# How the tensors of a vision or audio part begin (clip.cpp: v., mm., a.). A language model
# has none of them, and llama.cpp refuses a file with tensors it did not ask for.
OTHER_PARTS = ("v.", "mm.", "a.")
# Keys, after "<architecture>.", by which Ollama's converter marks an embedded part.
OTHER_KEYS = ("vision.block_count", "audio.block_count")
SAFETENSORS = "tensor"  # layer kind: one tensor each, for Ollama's MLX engine


def missing(manifest: Manifest) -> str:
    """Why there is no model file that could be loaded, or ""."""
    models = manifest.of("model")
    if manifest.of(SAFETENSORS):
        return "it is stored as single tensors for Ollama's MLX engine, not as a GGUF file"
    if not models:
        return "it has no model file: it runs on Ollama's servers, not on this PC"
    if len(models) > 1:
        return f"it is stored in {len(models)} model files"
    if manifest.of("adapter"):
        return "it is a model with an adapter (LoRA) on top, which would be lost"
    return ""


def obstacle(header: GgufHeader, known: Collection[str]) -> str:
    """Why the engine, which knows the architectures `known`, cannot run the file, or ""."""
    name = header.architecture
    if not name:
        return "its header does not name an architecture"
    inside = sum(tensor.name.startswith(OTHER_PARTS) for tensor in header.tensors)
    if name in OWN_NAMES and name not in known:
        theirs = f" of '{OWN_NAMES[name]}'" if OWN_NAMES[name] else ""
        return f"'{name}' is Ollama's own form{theirs}, which only Ollama's engine reads"
    if known and name not in known:
        return f"the engine does not know the architecture '{name}'"
    if name == "clip":
        return "it is the vision part of a model, not a language model"
    if inside or any(f"{name}.{key}" in header.metadata for key in OTHER_KEYS):
        parts = f" ({inside} tensors)" if inside else ""
        return (
            f"its vision or audio part{parts} is inside the file, a form of '{name}' that"
            " only Ollama's engine reads"
        )
    if pooling(header):
        return "it is an embedding model: it computes vectors and cannot answer"
    return ""


def pooling(header: GgufHeader) -> bool:
    """Whether the model sums its text up to one vector (llama.h, llama_pooling_type > 0)."""
    kind = header.metadata.get(f"{header.architecture}.pooling_type", 0)
    return isinstance(kind, int) and kind > 0
