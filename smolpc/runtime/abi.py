"""The bindings' memory layout as C, so that the compiler proves it against llama.h."""

from __future__ import annotations

from pathlib import Path

from smolpc.errors import SelfCheckError, TrustError
from smolpc.runtime import probe


def table_of(artifact_dir: Path, lib_dir: str, *, timeout: float = 60) -> dict[str, int]:
    """What the artifact's bindings assume, asked of a child process: struct -> size in
    bytes, `struct.field` -> offset in bytes.

    Raises SelfCheckError when the artifact does not even load here, and TrustError when the
    child could not finish.
    """
    found = probe.run(artifact_dir, lib_dir, timeout=timeout)
    error = found.error
    if isinstance(found, probe.Report) and found.abi:
        return found.abi
    failed = isinstance(found, probe.Report) or found.verdict == "failed"
    kind = SelfCheckError if failed else TrustError
    raise kind("the engine's bindings do not load", why=error, next_step="smolpc doctor")


def static_asserts(table: dict[str, int]) -> str:
    """A C file that compiles against the engine's llama.h only if `table` is right."""
    lines = ["#include <stddef.h>", '#include "llama.h"', ""]
    for entry, number in table.items():
        struct, _, field = entry.partition(".")
        # llama.h declares some of them as `struct x`, all of them under that tag.
        measured = f"offsetof(struct {struct}, {field})" if field else f"sizeof(struct {struct})"
        lines.append(f'_Static_assert({measured} == {number}, "{entry}");')
    return "\n".join(lines) + "\n"
