"""A small manifest for tests."""

from __future__ import annotations

import hashlib

from smolpc.schema.model import License, ModelFile, ModelManifest, ModelSource

GGUF = b"GGUF" + bytes(range(256)) * 1000
SHA = hashlib.sha256(GGUF).hexdigest()


def manifest(*sources: ModelSource, name: str = "tiny", data: bytes = GGUF) -> ModelManifest:
    return ModelManifest(
        name=name,
        family="tiny",
        summary="for tests",
        parameters=1,
        license=License(id="Apache-2.0"),
        file=ModelFile(
            filename=f"{name}.gguf",
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            quantization="Q4_1",
            sources=sources,
        ),
        context_length=2048,
    )
