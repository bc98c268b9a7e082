"""Options of llama-server from settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.errors import UsageError
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings, Sampling
from smolpc.serve import arguments
from smolpc.serve.arguments import ServedModel

CPU = RunSettings(memory=FitSettings(context=4096), threads=4)
GPU = RunSettings(
    memory=FitSettings(context=8192, gpu_layers=20, split=(3, 1), cpu_experts=2),
    threads=4,
    devices=("CUDA0", "CUDA1"),
)


def model(name: str, settings: RunSettings = CPU, **more: object) -> ServedModel:
    return ServedModel(name=name, path=Path(f"/m/{name}.gguf"), settings=settings, **more)


def test_the_processor_alone() -> None:
    made = arguments.options(model("a"))
    assert made["device"] == "none"
    assert "gpu-layers" not in made
    assert (made["threads"], made["threads-batch"], made["ctx-size"]) == ("4", "4", "4096")
    assert made["fit"] == "off"


def test_gpus_are_named_so_that_a_missing_one_is_an_error() -> None:
    made = arguments.options(model("a", GPU))
    assert (made["device"], made["gpu-layers"]) == ("CUDA0,CUDA1", "20")
    assert (made["tensor-split"], made["n-cpu-moe"]) == ("3,1", "2")


def test_each_answer_has_its_own_part_of_the_context() -> None:
    shared = RunSettings(memory=FitSettings(context=8192, sequences=4), threads=2)
    words = arguments.for_one(model("a", shared))
    assert words[words.index("--parallel") + 1] == "4"
    assert "--no-kv-unified" in words


def test_a_draft_model_must_be_named() -> None:
    asked = RunSettings(memory=FitSettings(context=512), threads=1, speculation="draft")
    with pytest.raises(UsageError, match="draft model"):
        arguments.options(model("a", asked))
    made = arguments.options(model("a", asked, draft=Path("/d.gguf")))
    assert (made["spec-type"], made["model-draft"]) == ("draft-simple", "/d.gguf")


def test_what_a_request_leaves_open_comes_from_the_settings() -> None:
    made = arguments.options(model("a", sampling=Sampling(temperature=0.7, top_k=20)))
    assert (made["temp"], made["top-k"], made["repeat-penalty"]) == ("0.7", "20", "1")


def test_one_model_is_listed_as_it_was_asked_for() -> None:
    words = arguments.for_one(model("smollm2:135m", aliases=("smollm2",)))
    assert words[words.index("--alias") + 1] == "smollm2:135m"


def sections(text: str) -> dict[str, dict[str, str]]:
    """The preset file as the engine reads it."""
    found: dict[str, dict[str, str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("["):
            name = line[1:-1]
            found[name] = {}
        elif " = " in line and name:
            key, _, value = line.partition(" = ")
            found[name][key] = value
    return found


def test_a_preset_has_a_section_for_each_model() -> None:
    text = arguments.preset([model("a", aliases=("b",)), model("c", GPU)], loaded=1)
    read = sections(text)
    assert read["a"]["model"] == str(Path("/m/a.gguf"))
    assert (read["a"]["alias"], read["a"]["load-on-startup"]) == ("b", "true")
    assert (read["c"]["device"], read["c"]["load-on-startup"]) == ("CUDA0,CUDA1", "false")


def test_models_of_a_router_answer_to_all_their_names_and_no_name_means_two() -> None:
    first = model("qwen3:8b", aliases=("qwen3", "both"))
    text = arguments.preset([first, model("smollm2", aliases=("both", "qwen3:8b"))], loaded=2)
    read = sections(text)
    assert read["qwen3-8b"]["alias"] == "qwen3:8b,qwen3,both"
    assert "alias" not in read["smollm2"]


@given(st.text(max_size=30))
def test_a_path_that_the_engine_would_cut_is_refused(part: str) -> None:
    one = ServedModel(name="a", path=Path("/m") / part / "ü x.gguf", settings=CPU)
    try:
        text = arguments.preset([one], loaded=1)
    except UsageError:
        assert set(part) & set("#;\r\n")
    else:
        assert f"model = {one.path}\n" in text
        assert not set(str(one.path)) & set("#;\r\n")


def test_no_more_models_in_memory_than_there_are() -> None:
    assert arguments.for_several([model("a"), model("b")], loaded=9) == ["--models-max", "2"]


def test_a_folder_whose_name_cannot_be_held_is_left_out() -> None:
    one = ServedModel(name="a", path=Path("/C# ü/models/a.gguf"), settings=CPU)
    text = arguments.preset([one], loaded=1, folder=Path("/C# ü/artifacts/k/bin"))
    assert sections(text)["a"]["model"] == str(Path("../../../models/a.gguf"))
