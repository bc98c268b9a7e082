"""Answers that follow a schema or a grammar, written by the real engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from smolpc.errors import UsageError
from smolpc.runtime import Engine, RunSettings
from smolpc.schema.fit import FitSettings

pytestmark = pytest.mark.integration

SCHEMAS: list[dict[str, Any]] = [
    {"enum": ["red", 'a "b" \\ c\n', 3, None]},
    {
        "type": "object",
        "properties": {
            'a "name"': {"type": "string", "maxLength": 8},
            "age": {"type": "integer"},
            "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2},
        },
        "required": ["age", "tags"],
    },
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3},
    {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/pair"}], "$defs": {"pair": {"const": [1, 2]}}},
]


@pytest.fixture(scope="module")
def engine(real_artifact: Path, real_model: Path) -> Iterator[Engine]:
    settings = RunSettings(memory=FitSettings(context=256), threads=1)
    with Engine.open(real_model, artifact=real_artifact, settings=settings) as opened:
        yield opened


@pytest.mark.parametrize("temperature", [0.0, 1.5])
@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_answer_is_json_of_the_schema(
    engine: Engine, schema: dict[str, Any], temperature: float
) -> None:
    result = engine.generate(
        "JSON:", raw=True, json_schema=schema, temperature=temperature, max_tokens=120, seed=7
    ).result
    assert result.stop == "end"
    jsonschema.validate(json.loads(result.text), schema)


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_the_answer_follows_the_grammar(engine: Engine, penalty: float) -> None:
    text = engine.generate(
        "Is water wet?", grammar='root ::= "yes" | "no"', repeat_penalty=penalty
    ).result.text
    assert text in ("yes", "no")


def test_a_wrong_grammar_is_an_error(engine: Engine) -> None:
    with pytest.raises(UsageError, match="does not understand"):
        next(engine.generate("Hi", grammar="root ::= missing"))
