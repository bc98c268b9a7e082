"""A JSON schema as a grammar (GBNF), so that the model can only write what fits it.

The grammar may allow less than the schema (no properties that the schema does not name,
required properties first, one way to set spaces), never more. What it cannot express is an
error: a schema that holds only in part would be worse than none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from smolpc.errors import UsageError

COMMENTS = {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
COMMENTS |= {"$schema", "$id", "$comment", "$defs", "definitions"}
KEYWORDS: Mapping[str, set[str]] = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"minLength", "maxLength"},
    "number": set(),
    "integer": set(),
    "boolean": set(),
    "null": set(),
}
BASE = r"""
value ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" ws (string ":" ws value ("," ws string ":" ws value)*)? ws "}"
array ::= "[" ws (value ("," ws value)*)? ws "]"
string ::= "\"" char* "\""
char ::= [^"\\\x00-\x1f\x7f] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})
integer ::= "-"? ("0" | [1-9] [0-9]{0,15})
number ::= integer ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?
boolean ::= "true" | "false"
null ::= "null"
ws ::= " "?
"""


def to_gbnf(schema: Mapping[str, Any]) -> str:
    """The grammar for JSON that `schema` accepts. Raises UsageError for what it cannot say."""
    return _Grammar(schema).text


class _Grammar:
    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema
        self._rules: dict[str, str] = {}
        self._refs: dict[str, str] = {}
        body = self._of(schema, "#")
        rules = "".join(f"{name} ::= {rule}\n" for name, rule in self._rules.items())
        self.text = f"root ::= {body}\n{rules}{BASE.lstrip()}"

    def _rule(self, body: str) -> str:
        name = f"r{len(self._rules)}"
        self._rules[name] = body
        return name

    def _of(self, schema: Any, place: str) -> str:
        """What stands for `schema` in a rule; `place` is its JSON pointer, for errors."""
        if schema is True or schema == {}:
            return "value"
        if not isinstance(schema, Mapping):
            raise _unsupported(place, f"{json.dumps(schema)} is no schema")
        keys = set(schema) - COMMENTS
        for alone in ("$ref", "enum", "const", "anyOf"):
            if alone in keys:
                others = keys - {alone} - ({"type"} if alone in ("enum", "const") else set())
                if others:
                    raise _unsupported(place, f"{', '.join(sorted(others))} beside {alone}")
                return self._alone(alone, schema, place)
        kinds = schema.get("type")
        if kinds is None:
            raise _unsupported(place, "no type" if not keys else ", ".join(sorted(keys)))
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        unknown = [kind for kind in kinds if kind not in KEYWORDS]
        known = {"type"}.union(*(KEYWORDS[kind] for kind in kinds if kind in KEYWORDS))
        if unknown or keys - known:
            raise _unsupported(place, ", ".join([*map(str, unknown), *sorted(keys - known)]))
        return self._any([self._typed(kind, schema, place) for kind in kinds])

    def _alone(self, keyword: str, schema: Mapping[str, Any], place: str) -> str:
        given = schema[keyword]
        if keyword == "$ref":
            return self._ref(given, place)
        if keyword == "anyOf":
            return self._any([self._of(one, f"{place}/anyOf/{i}") for i, one in enumerate(given)])
        values = given if keyword == "enum" else [given]
        allowed = schema.get("type")
        if allowed is not None:
            kinds = {allowed} if isinstance(allowed, str) else set(allowed)
            values = [value for value in values if kinds & _kinds_of(value)]
        return self._any([_literal(json.dumps(value, ensure_ascii=False)) for value in values])

    def _any(self, choices: list[str]) -> str:
        if not choices:
            raise _unsupported("#", "an empty choice, which nothing fits")
        return choices[0] if len(choices) == 1 else self._rule(" | ".join(choices))

    def _ref(self, ref: str, place: str) -> str:
        if ref not in self._refs:
            found: Any = self._root
            parts = ref.split("/")
            for part in parts[1:]:
                key = part.replace("~1", "/").replace("~0", "~")
                found = found.get(key) if isinstance(found, Mapping) else None
            if parts[0] != "#" or found is None:
                raise _unsupported(place, f"$ref {ref}: not in this schema")
            self._refs[ref] = self._rule("")  # named first: it may refer to itself
            self._rules[self._refs[ref]] = self._of(found, ref)
        return self._refs[ref]

    def _typed(self, kind: str, schema: Mapping[str, Any], place: str) -> str:
        if kind == "object" and ("properties" in schema or "required" in schema):
            return self._object(schema, place)
        if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
            value = self._of(schema["additionalProperties"], f"{place}/additionalProperties")
            pair = f'string ":" ws {value}'
            return self._rule(f'"{{" ws ({pair} ("," ws {pair})*)? ws "}}"')
        if kind == "object" and schema.get("additionalProperties") is False:
            return _literal("{}")
        if kind == "array" and len(schema.keys() & KEYWORDS["array"]):
            item = self._of(schema.get("items", True), f"{place}/items")
            return self._array(item, schema.get("minItems", 0), schema.get("maxItems"), place)
        if kind == "string" and ("minLength" in schema or "maxLength" in schema):
            least, most = schema.get("minLength", 0), schema.get("maxLength", "")
            return self._rule(f'"\\"" char{{{least},{most}}} "\\""')
        return kind

    def _array(self, item: str, least: int, most: int | None, place: str) -> str:
        if most is not None and most < least:
            raise _unsupported(place, "maxItems below minItems")
        if most == 0:
            return _literal("[]")
        more = f'("," ws {item}){{{max(least - 1, 0)},{"" if most is None else most - 1}}}'
        items = f"{item} {more}" if least else f"({item} {more})?"
        return self._rule(f'"[" ws {items} ws "]"')

    def _object(self, schema: Mapping[str, Any], place: str) -> str:
        properties = schema.get("properties", {})
        required = schema.get("required", ())
        missing = [name for name in required if name not in properties]
        if missing:
            raise _unsupported(place, f"required without a schema: {', '.join(missing)}")
        pairs = {
            name: f'{_literal(json.dumps(name, ensure_ascii=False))} ":" ws '
            + self._of(part, f"{place}/properties/{name}")
            for name, part in properties.items()
        }
        must = [pairs[name] for name in properties if name in required]
        may = [pairs[name] for name in properties if name not in required]
        # Each optional one may follow; without required ones any of them may be the first.
        tails = [" ".join(f'("," ws {pair})?' for pair in may[i:]) for i in range(len(may) + 1)]
        if must:
            inside = ' "," ws '.join(must) + " " + tails[0]
        elif may:
            firsts = [f"{pair} {tails[i + 1]}" for i, pair in enumerate(may)]
            inside = f"({' | '.join(firsts)})?"
        else:
            return _literal("{}")
        return self._rule(f'"{{" ws {inside} ws "}}"')


def _kinds_of(value: Any) -> set[str]:
    if isinstance(value, bool):
        return {"boolean"}
    kinds = {str: {"string"}, int: {"integer", "number"}, float: {"number"}, dict: {"object"}}
    return {"null"} if value is None else kinds.get(type(value), {"array"})


def _literal(text: str) -> str:
    """`text` as a quoted GBNF string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _unsupported(place: str, what: str) -> UsageError:
    return UsageError(
        f"this JSON schema cannot be enforced: {what} at {place}",
        why="only types, properties, required, items, enum, const, anyOf, $ref within the schema,"
        " and the lengths of arrays and strings can",
        next_step="leave it out, and check the answer yourself",
    )
