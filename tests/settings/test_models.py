"""Values for one model, and layers that only stand above the defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from smolpc import settings
from smolpc.errors import UsageError
from smolpc.settings import Layer, Settings, config_of, load, load_config

TEXT = """\
context: 4096
models:
  Qwen2.5-Coder:7b: {context: 8192, backend: ollama}
  smollm2: {context: 2048}
"""


@pytest.fixture
def user() -> Path:
    path = settings.user_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_models_own_values_win_over_the_general_ones(user: Path) -> None:
    assert load(environ={})[0].context == 4096
    chosen, report = load_config(environ={}).for_model(("qwen2.5-coder-7b", "QWEN2.5-coder:7B"))
    assert (chosen.context, chosen.backend) == (8192, "ollama")
    said = next(one for one in report if one.name == "context")
    assert said.origin == f"{user} (for qwen2.5-coder-7b)"
    assert [one.value for one in said.overridden] == [4096]


def test_stronger_layers_win_over_a_models_own_values(user: Path) -> None:
    assert load_config(environ={"SMOLPC_CONTEXT": "512"}).for_model(["smollm2"])[0].context == 512


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: {a: {store: /x}}", "cannot be set for one model"),
        ("models: {a: {contxt: 1}}", "did you mean 'context'"),
        ("models: {a: {context: x}}", "wrong value"),
        ("models: [a]", "settings for each model"),
        ("models: {a: 1}", "settings for each model"),
    ],
)
def test_wrong_ones_are_named(user: Path, text: str, said: str) -> None:
    user.write_text(text)
    with pytest.raises(UsageError, match=said):
        load(environ={})


def test_what_a_model_brings_along_is_only_stronger_than_the_default(user: Path) -> None:
    brought = Layer(kind="model", origin="imported", values={"temperature": 0.2, "context": 99})
    chosen, report = load_config(environ={}).over(brought).for_model()
    assert (chosen.temperature, chosen.context) == (0.2, 4096)
    assert next(one for one in report if one.name == "temperature").layer == "model"


def test_auto_gives_a_value_back_to_smolpc(user: Path) -> None:
    chosen, report = load(environ={"SMOLPC_CONTEXT": "auto", "SMOLPC_GPU_LAYERS": "Auto"})
    assert (chosen.context, chosen.gpu_layers) == (0, -1)
    assert next(one for one in report if one.name == "context").layer == "environment"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "nan"),
        ("temperature", "-1"),
        ("top_p", "1.5"),
        ("repeat_penalty", "0"),
        ("gpu_layers", "-2"),
        ("flash_attention", "maybe"),
        ("speculation", "on"),
        ("gpu_reserve", "much"),
        ("memory_budget", "-1G"),
    ],
)
def test_values_that_make_no_sense_are_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"'{name}' in command line has a wrong value"):
        load({name: value}, environ={})


@pytest.mark.parametrize(
    ("text", "size"),
    [("", 0), ("6G", 6 * 10**9), ("512MiB", 512 << 20), ("1.5 g", 1_500_000_000), ("7", 7)],
)
def test_sizes(text: str, size: int) -> None:
    assert settings.size_of(text) == size


def test_settings_of_a_program_say_so() -> None:
    made = Settings(store="/x", context=512, temperature=0.0)
    chosen, report = config_of(made).for_model()
    assert chosen == made
    said = {one.name: one.origin for one in report if one.layer != "default"}
    assert said == dict.fromkeys(("store", "context", "temperature"), "the program")
