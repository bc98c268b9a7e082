"""What is read off a header."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from smolpc.gguf import local_file, read_header
from smolpc.plan import fit
from smolpc.schema.gguf import GgufHeader, Tensor
from tests.plan.fit import shapes
from tests.plan.fit.residuals import header_of, synthetic


def changed(header: GgufHeader, **metadata: object) -> GgufHeader:
    return msgspec.structs.replace(header, metadata={**header.metadata, **metadata})  # type: ignore[dict-item]


def test_a_written_file_has_the_header_that_the_tests_use(tmp_path: Path) -> None:
    model = shapes.dense("small", "qwen2", shapes.Dims(3, 256, 4, 2, 512, 1000, 64), "Q4_K_M")
    with local_file(shapes.write(model, tmp_path / "small.gguf")) as source:
        read = read_header(source)
    assert fit.shape_of(read) == fit.shape_of(header_of(model))
    assert read.file_size == source.size


def test_all_bytes_of_the_tensor_table_are_somewhere() -> None:
    for model in shapes.all_shapes():
        header = header_of(model)
        assert fit.shape_of(header).weights == sum(tensor.size for tensor in header.tensors)


def test_a_tied_output_is_seen_in_the_tensor_table_not_in_the_metadata() -> None:
    assert synthetic()["llama3.2-1b-q4_k_m"].tied
    assert not synthetic()["qwen2-0.5b-q4_k_m"].tied


def test_the_trained_context_can_be_corrected() -> None:
    header = header_of(next(m for m in shapes.all_shapes() if m.name == "qwen2-7b-q4_k_m"))
    assert fit.shape_of(header).trained_context == 131072
    assert fit.shape_of(header, trained_context=32768).trained_context == 32768


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("qwen2-7b-q4_k_m", {"full": 28}),
        ("gemma3-1b-q4_k_m", {"swa": 22, "full": 4}),
        ("gpt-oss-20b-mxfp4", {"swa": 12, "full": 12}),
        ("deepseek2-lite-q4_k_m", {"mla": 27}),
        ("granite-h-350m-q4_k_m", {"none": 28, "full": 4}),
        ("mamba2-1.3b-q4_k_m", {"none": 48}),
    ],
)
def test_each_layer_has_its_kind_of_attention(name: str, kinds: dict[str, int]) -> None:
    found = [layer.attention for layer in synthetic()[name].layers]
    assert {kind: found.count(kind) for kind in set(found)} == kinds


def test_a_pattern_that_the_file_spells_out_wins() -> None:
    header = header_of(next(m for m in shapes.all_shapes() if m.name == "gemma3-1b-q4_k_m"))
    spelled = changed(header, **{"gemma3.attention.sliding_window_pattern": (True, False) * 13})
    assert [layer.attention for layer in fit.shape_of(spelled).layers][:2] == ["swa", "full"]


def test_layers_for_token_prediction_are_neither_loaded_nor_cached() -> None:
    header = header_of(next(m for m in shapes.all_shapes() if m.name == "qwen3-8b-q4_k_m"))
    last = fit.shape_of(changed(header, **{"qwen3.nextn_predict_layers": 1})).layers[-1]
    assert (last.weights, last.caches) == (0, False)


def test_an_unknown_architecture_counts_every_token_in_every_layer() -> None:
    header = header_of(next(m for m in shapes.all_shapes() if m.name == "gemma3-1b-q4_k_m"))
    renamed = {
        key.replace("gemma3.", "novel."): value for key, value in header.metadata.items()
    } | {"general.architecture": "novel"}
    shape = fit.shape_of(msgspec.structs.replace(header, metadata=renamed))
    assert {layer.attention for layer in shape.layers} == {"full"}


def test_a_header_without_numbers_gives_a_shape_all_the_same() -> None:
    tensors = (Tensor(name="blk.0.attn_q.weight", type="F32", shape=(4, 4), offset=0, size=64),)
    header = GgufHeader(version=3, metadata={}, tensors=tensors, data_offset=0)
    assert fit.shape_of(header).weights == 64
