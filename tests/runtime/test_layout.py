"""The bindings' struct layout, as numbers and as C."""

from __future__ import annotations

import ctypes
import shutil
import types
from pathlib import Path

import pytest

from smolpc import proc
from smolpc.runtime import layout
from smolpc.runtime.abi import static_asserts


class Params(ctypes.Structure):
    _fields_ = (("n_ctx", ctypes.c_uint32), ("data", ctypes.c_void_p), ("flag", ctypes.c_bool))


def fake_bindings() -> types.SimpleNamespace:
    return types.SimpleNamespace(**dict.fromkeys(layout.STRUCTS, Params))


def test_the_table_has_sizes_and_offsets() -> None:
    table = layout.abi_table(fake_bindings())
    pointer = ctypes.sizeof(ctypes.c_void_p)
    assert table["llama_batch"] == 3 * pointer
    assert table["llama_batch.n_ctx"] == 0
    assert table["llama_batch.flag"] == 2 * pointer


def test_every_entry_becomes_an_assertion() -> None:
    text = static_asserts({"llama_batch": 56, "llama_batch.token": 8})
    assert '_Static_assert(sizeof(struct llama_batch) == 56, "llama_batch");' in text
    assert "offsetof(struct llama_batch, token) == 8" in text


@pytest.mark.integration
@pytest.mark.parametrize(("offset", "compiles"), [(8, True), (4, False)])
def test_the_compiler_accepts_the_truth_only(tmp_path: Path, offset: int, compiles: bool) -> None:
    (tmp_path / "llama.h").write_text("struct llama_batch { int n; char * token; };\n")
    (tmp_path / "abi.c").write_text(
        static_asserts({"llama_batch": 16, "llama_batch.token": offset})
    )
    compiler = shutil.which("cc") or "cc"
    done = proc.run([compiler, "-fsyntax-only", "-I", str(tmp_path), str(tmp_path / "abi.c")])
    assert done.ok == compiles
    assert compiles or "llama_batch.token" in done.output
