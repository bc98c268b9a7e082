"""The CPU libraries of an all-variants engine, one for each generation of processors.

ggml takes the one with the highest score, which counts instruction sets and measures
nothing. The tuner may find another one to be faster, and then names it here.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from smolpc.errors import PrerequisiteError
from smolpc.runtime import libraries
from smolpc.runtime.devices import Ggml

CPU = "ggml-cpu-"
NOT_BACKENDS = {"ggml", "ggml-base"}


def name_of(library: Path) -> str:
    """ "ggml-cpu-haswell" of "libggml-cpu-haswell.so"."""
    return library.name.partition(".")[0].removeprefix("lib")


def usable(lib_dir: Path) -> tuple[str, ...]:
    """The CPU libraries that this processor can run, the loader's own choice first; none where
    the engine has only one."""
    found = []
    for library in libraries.listing(lib_dir):
        if name_of(library).startswith(CPU):
            score = getattr(ctypes.CDLL(str(library)), "ggml_backend_score", None)
            if score is not None:
                found.append((int(score()), name_of(library)))
    return tuple(name for score, name in sorted(found, reverse=True) if score > 0)


def load_backends(ggml: Ggml, lib_dir: Path, cpu_variant: str = "") -> None:
    """Load every backend of the engine, with that CPU library ("": the loader's choice).

    Raises PrerequisiteError when the processor cannot run it, or the engine does not have it.
    """
    if not cpu_variant:
        ggml.load_all(os.fsencode(lib_dir))
        return
    if cpu_variant not in usable(lib_dir):
        raise PrerequisiteError(
            f"the engine cannot use the CPU library {cpu_variant} here",
            why="the engine does not have it, or this processor cannot run it",
            next_step="smolpc tune   (it measures which one is fastest)",
        )
    for library in libraries.listing(lib_dir):
        name = name_of(library)
        is_backend = name.startswith("ggml-") and name not in NOT_BACKENDS
        if is_backend and (name == cpu_variant or not name.startswith(CPU)):
            ggml.load(os.fsencode(library))
