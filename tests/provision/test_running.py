"""What an imported model brings along: below the settings, above the defaults."""

from __future__ import annotations

from smolpc.provision.running import parameters, stops
from smolpc.schema.model import Defaults
from smolpc.settings import load_config

OPTIONS: dict[str, str | int | float | bool | tuple[str, ...]] = {
    "temperature": 0.2,
    "top_k": "20",
    "top_p": 7,  # nonsense
    "num_gpu": 99,  # fits another machine
    "num_ctx": 131072,
    "stop": ("<|end|>", "User:"),
}


def test_its_parameters_are_a_layer_of_their_own() -> None:
    layer, notes = parameters(Defaults(options=OPTIONS), "imported from Ollama (poet)")
    assert layer.values == {"temperature": 0.2, "top_k": 20}
    assert any("top_p" in note and "not used" in note for note in notes)
    chosen, report = load_config(environ={"SMOLPC_TOP_K": "5"}).over(layer).for_model()
    assert (chosen.temperature, chosen.top_k, chosen.context) == (0.2, 5, 0)
    said = next(one for one in report if one.name == "temperature")
    assert (said.layer, said.origin) == ("model", "imported from Ollama (poet)")


def test_its_stop_texts() -> None:
    assert stops(Defaults(options=OPTIONS)) == ("<|end|>", "User:")
    assert stops(Defaults(options={"stop": "X"})) == ("X",)
    assert stops(Defaults()) == ()
