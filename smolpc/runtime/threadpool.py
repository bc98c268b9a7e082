"""A lasting thread pool for ggml's CPU backend.

Without one, builds without OpenMP start and join their threads again for every token.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_bool, c_int, c_uint32, c_void_p
from pathlib import Path
from typing import Any

from smolpc.errors import PrerequisiteError
from smolpc.runtime import libraries
from smolpc.runtime.bindings import Bound

MAX_THREADS = 512  # GGML_MAX_N_THREADS, ggml.h


class ThreadpoolParams(ctypes.Structure):
    """`struct ggml_threadpool_params`, ggml.h; proved with the other structs (abi.py)."""

    _fields_ = (
        ("cpumask", c_bool * MAX_THREADS),
        ("n_threads", c_int),
        ("prio", c_int),
        ("poll", c_uint32),
        ("strict_cpu", c_bool),
        ("paused", c_bool),
    )


class Threadpool:
    """`threads` threads attached to a context, which must be freed before `close`.

    Prompts are read by `batch_threads` threads (0: the same); where that is another number
    they have a pool of their own. The engine lets the pool sleep that it does not use.
    """

    def __init__(
        self, bound: Bound, lib_dir: Path, context: Any, threads: int, batch_threads: int = 0
    ) -> None:
        self._base = ctypes.CDLL(str(libraries.find(lib_dir, "ggml-base")))
        self._llama = ctypes.CDLL(str(libraries.find(lib_dir, "llama")))
        self._new = CFUNCTYPE(c_void_p, POINTER(ThreadpoolParams))(
            bound.ggml.cpu_function("ggml_threadpool_new")
        )
        self._free = CFUNCTYPE(None, c_void_p)(bound.ggml.cpu_function("ggml_threadpool_free"))
        self._pools: list[c_void_p] = []
        try:
            for count in dict.fromkeys((threads, batch_threads or threads)):
                self._pools.append(self._pool(count))
        except BaseException:
            self.close()
            raise
        self.attach(context)

    def attach(self, context: Any) -> None:
        """Let `context` use these threads too. Only one of the contexts may compute at a time."""
        batch = self._pools[1] if len(self._pools) > 1 else None
        self._llama.llama_attach_threadpool(c_void_p(context), self._pools[0], batch)

    def _pool(self, threads: int) -> c_void_p:
        params = ThreadpoolParams()
        self._base.ggml_threadpool_params_init(ctypes.byref(params), c_int(threads))
        handle = c_void_p(self._new(ctypes.byref(params)))
        if not handle:
            raise PrerequisiteError(
                f"the engine cannot start {threads} threads",
                why="the system allows no more threads, or memory is short",
                next_step="smolpc run --threads 1 --prompt '...'",
            )
        return handle

    def close(self) -> None:
        """End the threads. Free the context first: its backend still points here."""
        while self._pools:
            self._free(self._pools.pop())
