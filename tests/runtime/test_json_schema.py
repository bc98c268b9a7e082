"""A schema becomes a grammar, or an error that names what it cannot say."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolpc.errors import UsageError
from smolpc.runtime.json_schema import to_gbnf
from tests.runtime.gbnf import Grammar

JSON = st.none() | st.booleans() | st.integers(-99, 99) | st.text('a"\\\n é', max_size=4)
LENGTHS = st.tuples(st.integers(0, 2), st.integers(2, 4))
SIMPLE = st.one_of(
    st.just({}),
    st.sampled_from(["string", "number", "integer", "boolean", "null", "object", "array"]).map(
        lambda kind: {"type": kind}
    ),
    st.just({"type": ["string", "null"]}),
    st.lists(JSON, min_size=1, max_size=3).map(lambda values: {"enum": values}),
    JSON.map(lambda value: {"const": value}),
    LENGTHS.map(lambda n: {"type": "string", "minLength": n[0], "maxLength": n[1]}),
)


def _object(properties: dict[str, Any], few: int) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties)[:few],
        "additionalProperties": False,
    }


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.text('a"\\é-', max_size=3)
    return st.builds(_object, st.dictionaries(names, inner, max_size=4), st.integers(0, 4))


SCHEMAS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        _objects(inner),
        inner.map(lambda one: {"type": "object", "additionalProperties": one}),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: {"anyOf": some}),
        st.tuples(inner, LENGTHS).map(
            lambda one: {
                "type": "array",
                "items": one[0],
                "minItems": one[1][0],
                "maxItems": one[1][1],
            }
        ),
    ),
    max_leaves=6,
)


@given(SCHEMAS, st.integers(0, 1 << 30))
def test_whatever_the_grammar_allows_is_json_of_the_schema(schema: Any, seed: int) -> None:
    text = Grammar(to_gbnf(schema)).draw(Random(seed))
    jsonschema.validate(json.loads(text), schema)


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        ({"type": "string", "pattern": "a+"}, "pattern"),
        ({"type": "integer", "minimum": 3}, "minimum"),
        ({"oneOf": [{"type": "string"}]}, "oneOf"),
        ({"type": "object", "properties": {"a": {"type": "date"}}}, "#/properties/a"),
        ({"type": "object", "required": ["a"]}, "required without a schema: a"),
        ({"anyOf": [{"type": "null"}], "type": "string"}, "type beside anyOf"),
        ({"$ref": "https://example.org/x"}, "not in this schema"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "maxItems below"),
        ({"enum": [1], "type": "string"}, "nothing fits"),
        ({"type": "array", "items": False}, "no schema"),
    ],
)
def test_what_cannot_be_enforced_is_an_error(schema: dict[str, Any], names: str) -> None:
    with pytest.raises(UsageError) as caught:
        to_gbnf(schema)
    assert names in str(caught.value.what)


def test_comments_change_nothing() -> None:
    plain = {"type": "object", "properties": {"a": {"type": "string"}}}
    told = {**plain, "title": "T", "$schema": "x", "description": "d"}
    assert to_gbnf(plain) == to_gbnf(told)


def test_a_schema_may_refer_to_itself() -> None:
    tree = {"type": "object", "properties": {"child": {"$ref": "#"}}}
    assert to_gbnf(tree).count('"\\"child\\""') == 2  # at the root, and where it repeats
