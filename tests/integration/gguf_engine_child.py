"""Asks the real ggml, in a process of its own; prints JSON.

    python -m tests.integration.gguf_engine_child LIBGGML_BASE COUNT [FILE...]

`types`: [name, block, bytes] of the ids below COUNT (ggml does not check them).
`opens`: whether gguf_init_from_file accepts each file.
"""

from __future__ import annotations

import ctypes
import json
import sys


class InitParams(ctypes.Structure):
    """struct gguf_init_params of gguf.h."""

    _fields_ = (("no_alloc", ctypes.c_bool), ("ctx", ctypes.c_void_p))


def main(library: str, count: str, *paths: str) -> None:
    ggml = ctypes.CDLL(library)
    ggml.ggml_type_name.restype = ctypes.c_char_p
    ggml.ggml_type_size.restype = ctypes.c_size_t
    ggml.ggml_blck_size.restype = ctypes.c_int64
    ggml.gguf_init_from_file.restype = ctypes.c_void_p
    ggml.gguf_init_from_file.argtypes = [ctypes.c_char_p, InitParams]
    ggml.gguf_free.argtypes = [ctypes.c_void_p]
    types = [
        [ggml.ggml_type_name(at).decode(), ggml.ggml_blck_size(at), ggml.ggml_type_size(at)]
        for at in range(int(count))
    ]
    opens = {}
    for path in paths:
        context = ggml.gguf_init_from_file(path.encode(), InitParams(True, None))
        opens[path] = bool(context)
        if context:
            ggml.gguf_free(context)
    print(json.dumps({"types": types, "opens": opens}))


if __name__ == "__main__":
    main(*sys.argv[1:])
