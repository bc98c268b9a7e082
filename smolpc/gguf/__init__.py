"""GGUF headers: what a model file says about itself, read without its weights.

The reader trusts nothing: a hostile file gives a TrustError in bounded time and memory.
`read_header` reads one file from any `Source`, `read_model` all parts of a split model,
`types` knows the tensor types of the engine.
"""

from smolpc.gguf.reader import read_header
from smolpc.gguf.source import LocalFile, Source, local_file
from smolpc.gguf.split import read_model
from smolpc.gguf.types import tensor_bytes

__all__ = ["LocalFile", "Source", "local_file", "read_header", "read_model", "tensor_bytes"]
