"""The GGUF reader against the real model, gguf-py, and the engine's own reader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import pytest

from smolpc.errors import TrustError
from smolpc.gguf import local_file, read_header
from smolpc.gguf.types import BY_ID, REMOVED
from smolpc.schema.gguf import Elided, GgufHeader
from tests.gguf import build as g
from tests.gguf.test_hostile import CASES
from tests.integration.conftest import ROOT, environment

pytestmark = pytest.mark.integration

CORPUS = sorted((ROOT / "tests" / "gguf" / "corpus").glob("*.gguf"))
COUNT = max([*BY_ID, *REMOVED]) + 1


def read(path: Path) -> GgufHeader:
    with local_file(path) as source:
        return read_header(source)


@pytest.fixture(scope="module")
def ggml(real_artifact: Path) -> Path:
    return next(
        path
        for folder in ("lib", "bin")
        for path in (real_artifact / folder).glob("*ggml-base*")
        if path.suffix in (".so", ".dylib", ".dll")
    )


def ask_engine(ggml: Path, *paths: Path) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.gguf_engine_child", str(ggml), str(COUNT)]
        + [str(path) for path in paths],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_table_of_types_is_the_engines(ggml: Path, tmp_path: Path):
    types = ask_engine(ggml)["types"]
    for number, kind in BY_ID.items():
        name, block, size = types[number]
        assert (name.upper(), block, size) == (kind.name, kind.block, kind.size)
    assert all(types[number][1] == 0 for number in REMOVED)
    assert BY_ID.keys() | REMOVED.keys() == set(range(COUNT))


def test_the_engine_knows_no_type_beyond_the_table(ggml: Path, tmp_path: Path):
    paths = [tmp_path / f"{number}.gguf" for number in (COUNT - 1, COUNT)]
    for path in paths:
        path.write_bytes(g.build([], [("a", (256,), int(path.stem), 0)], data=False) + bytes(4096))
    assert list(ask_engine(ggml, *paths)["opens"].values()) == [True, False]


def test_every_tensor_and_value_of_the_real_model_is_what_gguf_py_reads(real_model: Path):
    ours, theirs = read(real_model), gguf.GGUFReader(real_model)
    fields = {k: v for k, v in theirs.fields.items() if not k.startswith("GGUF.")}
    assert list(ours.metadata) == list(fields)
    for key, field in fields.items():
        value, found = field.contents(), ours.metadata[key]
        if isinstance(found, Elided):
            assert found.count == len(value)
            assert found.kind == field.types[-1].name.lower()
        else:
            assert found == (tuple(value) if isinstance(value, list) else value), key
    assert ours.data_offset == theirs.data_offset
    assert ours.alignment == theirs.alignment
    assert ours.file_size == real_model.stat().st_size
    assert len(ours.tensors) == len(theirs.tensors) > 200
    for mine, tensor in zip(ours.tensors, theirs.tensors, strict=True):
        assert mine.name == tensor.name
        assert mine.type == tensor.tensor_type.name
        assert mine.shape == tuple(tensor.shape.tolist())
        assert mine.size == tensor.n_bytes
        assert ours.data_offset + mine.offset == tensor.data_offset


def test_what_is_read_can_be_opened_by_the_engine(ggml: Path, real_model: Path, tmp_path: Path):
    """Never the other way round: a file that our reader accepts and the engine refuses. It
    reads one byte order only, that of the machine."""
    paths = [*CORPUS, real_model]
    for number, (data, _) in enumerate(CASES.values()):
        paths.append(tmp_path / f"{number}.gguf")
        paths[-1].write_bytes(data)
    opens = ask_engine(ggml, *paths)["opens"]
    native = sys.byteorder == "big"
    accepted = []
    for path in paths:
        try:
            header = read(path)
        except TrustError:
            continue
        if header.big_endian == native:
            accepted.append(str(path))
    assert len(accepted) >= 2
    assert [path for path in accepted if not opens[path]] == []
