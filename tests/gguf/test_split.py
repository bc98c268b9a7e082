"""Split models: any part names the model, and parts that do not belong together are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from smolpc.errors import TrustError, UsageError
from smolpc.gguf import local_file, read_model
from smolpc.schema.gguf import GgufHeader
from tests.gguf import build as g

COUNT = 3


def part(number: int, names: str, count: int = COUNT, total: int = 5, **options: Any) -> bytes:
    """Part `number` (from 1) of a model, with a tensor for each letter of `names`."""
    metadata: list[tuple[str, Any]] = [
        ("split.no", g.Typed(g.UINT16, number - 1)),
        ("split.count", g.Typed(g.UINT16, count)),
        ("split.tensors.count", g.Typed(g.INT32, total)),
    ]
    if number == 1:
        metadata.insert(0, ("general.architecture", "llama"))
    return g.build(metadata, g.placed([(name, (8,), g.F32) for name in names]), **options)


def name(number: int) -> str:
    return f"Modell ü-{number:05d}-of-00003.gguf"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, names in ((1, ""), (2, "abc"), (3, "de")):
        (tmp_path / name(number)).write_bytes(part(number, names))
    return tmp_path


def read(folder: Path, filename: str) -> GgufHeader:
    return read_model(filename, lambda name: local_file(folder / name))


@pytest.mark.parametrize("given", [1, 2, 3])
def test_any_part_names_the_whole_model(folder: Path, given: int):
    header = read(folder, name(given))
    assert header.architecture == "llama"
    assert [tensor.name for tensor in header.tensors] == list("abcde")
    assert header.parts == 3
    assert header.file_size == sum(path.stat().st_size for path in folder.iterdir())
    assert header.data_offset == (folder / name(1)).stat().st_size  # it has no tensors itself


@pytest.mark.parametrize(("given", "gone"), [(1, 3), (2, 1), (3, 2)])
def test_a_missing_part_is_named(folder: Path, given: int, gone: int):
    (folder / name(gone)).unlink()
    with pytest.raises(UsageError, match=f"part {gone} of 3 .*{name(gone)}.*does not exist"):
        read(folder, name(given))


def test_a_model_in_one_piece_needs_no_name(tmp_path: Path):
    (tmp_path / "x").write_bytes(part(1, "abcde", count=1))
    header = read(tmp_path, "x")
    assert (header.parts, len(header.tensors)) == (1, 5)


def test_a_name_like_a_part_alone_does_not_make_a_part(tmp_path: Path):
    (tmp_path / name(2)).write_bytes(g.build([("general.architecture", "llama")]))
    assert read(tmp_path, name(2)).parts == 1


def test_a_renamed_part_is_refused_with_the_name_it_needs(folder: Path):
    (folder / name(2)).rename(folder / "model.gguf")
    with pytest.raises(TrustError, match=r"part 2 of 3: .* end with -00002-of-00003\.gguf"):
        read(folder, "model.gguf")


@pytest.mark.parametrize(
    ("number", "data", "says"),
    [
        (3, part(2, "de"), "part 2 of 3, not 3 of 3"),
        (3, part(3, "de", count=4), "part 3 of 4, not 3 of 3"),
        (3, g.build(), "part 1 of 0"),
        (3, part(3, "d"), "5 tensors were promised, its parts hold 4"),
        (3, part(3, "ce"), "in two of its parts"),
        (3, part(3, "de", version=2), "version or byte order"),
        (3, part(3, "de", order=">"), "version or byte order"),
        (3, part(3, "de")[:-1], "its tensors take"),
        (1, part(1, "", count=2000), "2000 parts"),
        (1, part(4, ""), "part 4 of 3"),
        (1, g.build([("split.count", "3")]), "split.count is not a number"),
        (1, g.build([("split.count", -3.5)]), "split.count is not a number"),
        (1, g.build([("split.count", True)]), "split.count is not a number"),
        (1, g.build([("split.count", 3), ("split.no", [0])]), "split.no is not a number"),
    ],
)
def test_parts_that_do_not_belong_together(folder: Path, number: int, data: bytes, says: str):
    (folder / name(number)).write_bytes(data)
    with pytest.raises(TrustError, match=says) as caught:
        read(folder, name(1))
    assert caught.value.next_step


def test_a_model_split_by_gguf_py(tmp_path: Path):
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama", split_max_tensors=2)
    writer.add_block_count(3)
    for number in range(5):
        writer.add_tensor(f"blk.{number}.weight", np.full((2, 8), number, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = read(tmp_path, name(2).replace("Modell ü", "m"))
    assert header.parts == 3
    assert header.metadata["llama.block_count"] == 3
    assert [tensor.name for tensor in header.tensors] == [f"blk.{i}.weight" for i in range(5)]
    assert {(tensor.shape, tensor.size) for tensor in header.tensors} == {((8, 2), 64)}
