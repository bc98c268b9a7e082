"""A schema becomes a grammar, or an error that names what it cannot say."""

from __future__ import annotations

from typing import Any

import pytest

from smolpc.errors import UsageError
from smolpc.runtime.json_schema import to_gbnf


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
