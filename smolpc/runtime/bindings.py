"""Import an artifact's own bindings, bound to its own libraries, and nothing else of it."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from smolpc.errors import TrustError, UsageError
from smolpc.runtime import variants
from smolpc.runtime.devices import Device, Ggml
from smolpc.runtime.interrupts import ctrl_c_noted
from smolpc.runtime.log import EngineLog

PACKAGE = "llama_cpp"


class Bound:
    """The one engine of this process: its bindings, its device registry and its log."""

    def __init__(self, folder: Path, llama: ModuleType, ggml: Ggml, log: EngineLog) -> None:
        self.folder = folder
        self.llama: Any = llama
        self.ggml = ggml
        self.log = log
        self.devices: tuple[Device, ...] = ggml.devices()
        # the instruction sets that the loaded libraries use, in the engine's words
        self.kernels: str = self.llama.llama_print_system_info().decode("utf-8", "replace")


_lock = threading.Lock()
_bound: Bound | None = None


def bind(artifact_dir: Path, lib_dir: str, *, cpu_variant: str = "") -> Bound:
    """Load the engine of an artifact into this process: libraries, backends, bindings.

    The caller has verified the artifact's files. `cpu_variant` names the CPU library of an
    all-variants engine ("": the loader's choice); it counts the first time only. Asking again
    for the same artifact gives the same object. Raises UsageError for a second artifact (two
    llama.cpp in one process would share symbols), PrerequisiteError for a CPU library that
    cannot run here, and TrustError when a library or the bindings do not load.
    """
    global _bound
    folder = artifact_dir.resolve()
    with _lock:
        if _bound is None:
            _bound = _bind(folder, folder / lib_dir, cpu_variant)
        elif _bound.folder != folder:
            raise UsageError(
                "a process can run one engine artifact only",
                why=f"{_bound.folder.name} is loaded already, {folder.name} was asked for",
                next_step="use the second artifact from another process",
            )
        return _bound


def _bind(folder: Path, lib_dir: Path, cpu_variant: str) -> Bound:
    log = EngineLog()
    try:
        # The bindings put `lib_dir` on Windows' PATH, and GPU backends find their own
        # libraries through it, so the backends load before the environment is restored.
        # GGML_BACKEND_PATH would make ggml load a library that nobody verified.
        with _environment({"LLAMA_CPP_LIB_PATH": str(lib_dir), "GGML_BACKEND_PATH": None}):
            llama = _import(folder / "python" / PACKAGE)
            with ctrl_c_noted():  # the log calls back
                log.attach(llama)
                ggml = Ggml(lib_dir)
                variants.load_backends(ggml, lib_dir, cpu_variant)
    except (OSError, RuntimeError, AttributeError, ImportError, SyntaxError) as error:
        raise TrustError(
            "the engine's libraries do not load",
            why=str(error),
            next_step="smolpc doctor",
        ) from error
    return Bound(folder, llama, ggml, log)


def _import(package: Path) -> ModuleType:
    """Import `llama_cpp.llama_cpp` from `package` without the package's own `__init__`.

    That one would import numpy, diskcache and the high-level API. A `llama_cpp` that the
    user's program imported itself stays what it was.
    """
    stub = ModuleType(PACKAGE)
    stub.__path__ = [str(package)]
    kept = _take_out()
    no_bytecode = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # the artifact stays as it was verified
    sys.modules[PACKAGE] = stub
    try:
        return importlib.import_module(f"{PACKAGE}.{PACKAGE}")
    finally:
        sys.dont_write_bytecode = no_bytecode
        _take_out()
        sys.modules.update(kept)


def _take_out() -> dict[str, ModuleType]:
    """Remove `llama_cpp` and everything below it from `sys.modules`, and return it."""
    names = [name for name in sys.modules if name.partition(".")[0] == PACKAGE]
    return {name: sys.modules.pop(name) for name in names}


@contextmanager
def _environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    before = dict(os.environ)
    try:
        for name, value in changes.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        for name, value in before.items():
            if os.environ.get(name) != value:
                os.environ[name] = value
