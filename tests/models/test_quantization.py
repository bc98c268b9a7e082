"""What llama-quantize prints, and the manifest of what it makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from smolpc import gguf
from smolpc.errors import UsageError
from smolpc.models import derive, quantization
from smolpc.models.derive import Original
from smolpc.schema.gguf import GgufHeader
from smolpc.schema.model import Defaults, License
from tests.models.manifests import manifest
from tests.models.ollama.store import model

# Recorded: llama-quantize --dry-run, b11312.
DRY_RUN = """\
llama_model_loader: - type  f32:   61 tensors
[   1/ 272] output_norm.weight          - [   576,      1,      1,      1], type =    f32, size =    0.002 MiB
[   2/ 272] token_embd.weight           - [   576,  49152,      1,      1], type =   q8_0, size =   28.688 MiB
[   3/ 272] blk.0.attn_k.weight         - [   576,    192,      1,      1], type =   q4_1, size =     0.07 MiB ->     0.06 MiB (q4_0)
[ 272/ 272] blk.29.ffn_up.weight        - [   576,   1536,      1,      1], type =   f16, size =     0.53 MiB ->     0.47 MiB (q4_0)
llama_model_quantize_impl: model size  =    92.10 MiB (5.74 BPW)
llama_model_quantize_impl: quant size  =    85.77 MiB (5.35 BPW)
"""  # noqa: E501
WARNING = (
    "llama_model_quantize_impl: WARNING: dry run completed successfully, but actually"
    " completing this quantization will require an imatrix!\n"
)
RUNNING = (
    "[   5/ 272] blk.0.attn_output.weight - [ 576, 576, 1, 1], type =   q4_1,"
    " converting to q4_0 .. size =     0.20 MiB ->     0.18 MiB"
)


def header(tmp_path: Path, *extra: tuple[str, object]) -> GgufHeader:
    path = tmp_path / "model.gguf"
    path.write_bytes(model(*extra))
    with gguf.local_file(path) as source:
        return gguf.read_header(source)


def test_the_dry_run_says_size_and_what_is_quantized_again():
    plan = quantization.parse_dry_run(DRY_RUN)
    assert plan is not None
    assert plan.size == int(85.77 * (1 << 20))
    assert plan.tensors == 272
    assert plan.requantized == ("Q4_1",)  # not the F16 one, nor the one that is copied
    assert not plan.needs_imatrix
    with_warning = quantization.parse_dry_run(DRY_RUN + WARNING)
    assert with_warning is not None
    assert with_warning.needs_imatrix


@pytest.mark.parametrize("output", ["", "error: no such file", DRY_RUN.split("quant size")[0]])
def test_a_dry_run_that_did_not_end_says_nothing(output: str):
    assert quantization.parse_dry_run(output) is None


def test_progress():
    assert quantization.progress(RUNNING) == (5, 272)
    assert quantization.progress("llama_model_loader: - type  f32:   61 tensors") is None


def test_the_reason_is_what_it_said_last():
    lines = ["x", "llama_model_quantize: failed to quantize: unknown arch", "main: bye", ""]
    assert quantization.reason(lines) == "unknown arch"
    assert quantization.reason(["a", "b", " "]) == "b"
    assert quantization.reason([]) == "it gave no reason"


@pytest.mark.parametrize(
    ("typed", "name"),
    [("q4_k_m", "Q4_K_M"), ("Q4_K", "Q4_K_M"), ("q8-0", "Q8_0"), ("bf16", "BF16")],
)
def test_types_as_people_write_them(typed: str, name: str):
    assert quantization.type_named(typed) == name


@pytest.mark.parametrize("typed", ["Q4_M", "COPY", "", "NVFP4", "4"])
def test_types_that_are_none(typed: str):
    with pytest.raises(UsageError) as caught:
        quantization.type_named(typed)
    assert "Q4_K_M" in caught.value.why


def test_the_result_inherits_and_names_its_parent(tmp_path: Path):
    read = header(tmp_path)
    official = replace(
        manifest(name="tiny-1b-instruct-q4_1"),
        aliases=("tiny", "tiny:1b"),
        family="tiny",
        license=License(id="LicenseRef-Gemma"),
        context_length=777,
        defaults=Defaults(system="Be brief."),
        default=True,
    )
    source = Original(
        path=tmp_path / "a.gguf",
        sha256="a" * 64,
        header=replace(read, metadata={**read.metadata, "general.file_type": 3}),
        name=official.name,
        manifest=official,
    )
    made = derive.quantized(
        source, tmp_path / "model.gguf", "b" * 64, read, name="", known={official.name: official}
    )
    assert made.name == "tiny-1b-instruct-q4_0"
    assert made.aliases == ("tiny:1b-q4_0",)
    assert made.parent == "a" * 64
    assert made.origin == "quantized from tiny-1b-instruct-q4_1 (Q4_1)"
    assert made.license.id == "LicenseRef-Gemma"
    assert made.context_length == 777
    assert made.defaults == official.defaults
    assert not made.default
    assert (made.file.quantization, made.file.sha256) == ("Q4_0", "b" * 64)


def test_the_result_of_an_unknown_file_is_described_by_its_header(tmp_path: Path):
    read = header(tmp_path)
    source = Original(path=tmp_path, sha256="a" * 64, header=read, name="My Model.F16")
    made = derive.quantized(source, tmp_path / "model.gguf", "b" * 64, read, name="", known={})
    assert made.name == "my-model.f16-q4_0"
    assert (made.license.id, made.context_length) == ("MIT", 4096)
    named = derive.quantized(source, tmp_path / "model.gguf", "b" * 64, read, name="mine", known={})
    assert named.name == "mine"


def test_a_name_means_one_model():
    taken = {"tiny": replace(manifest(), aliases=("small:1b",))}
    for asked in ("tiny", "small-1b"):
        with pytest.raises(UsageError, match="already"):
            derive.name_for(asked, "x", "somewhere", "c" * 64, taken)
    with pytest.raises(UsageError, match="cannot be the name"):
        derive.name_for("My Model", "x", "somewhere", "c" * 64, {})
    assert derive.name_for("", "tiny", "somewhere", "c" * 64, taken) == "own-tiny"
    taken["own-tiny"] = manifest(name="own-tiny")
    assert derive.name_for("", "tiny", "somewhere", "c" * 64, taken) == "own-tiny-cccccccc"
    again = {"tiny": replace(manifest(), origin="somewhere")}
    assert derive.name_for("", "tiny", "somewhere", "c" * 64, again) == "tiny"
