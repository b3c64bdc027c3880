"""A JSON Schema of policies.yaml (draft 2020-12), for editors: made of the shapes by which files are checked.

It says what can be said of a file's form: keys, kinds of values, spellings. What depends on several places (names that
have to exist, routes that nothing reaches), on bounds of quantities, or on other files is for `veneer check-policies`.

`python -m veneer.policy.json_schema docs/policies.schema.json` renews the one that is shipped; a test compares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from veneer.policy.generated import write_generated
from veneer.policy.lifetimes import parse_ttl
from veneer.policy.schema import PolicyShape
from veneer.policy.units import parse_duration, parse_rate, parse_size, parse_statuses

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_NUMBER: Final = r"[0-9]{1,12}(\.[0-9]{1,6})?"
_DURATION: Final[JsonSchemaValue] = {
    "anyOf": [
        {"type": "string", "pattern": rf"^\s*({_NUMBER}\s?(ms|s|m|h|d)|0(\.0+)?)\s*$"},
        {"type": "number", "const": 0},
    ]
}
_SIZE: Final[JsonSchemaValue] = {
    "anyOf": [
        {"type": "string", "pattern": rf"^\s*({_NUMBER}\s?(B|KB|MB|GB)|0(\.0+)?)\s*$"},
        {"type": "number", "const": 0},
    ]
}
_RATE: Final[JsonSchemaValue] = {"type": "string", "pattern": rf"^\s*[0-9]{{1,12}}\s?/\s?{_NUMBER}\s?(ms|s|m|h|d)\s*$"}
_STATUS_TEXT: Final = r"([1-5]xx|[1-5][0-9]{2}(-[1-5][0-9]{2})?)"
_STATUSES: Final[JsonSchemaValue] = {
    "anyOf": [
        {"type": "string", "pattern": f"^{_STATUS_TEXT}$"},
        {"type": "integer", "minimum": 100, "maximum": 599},
    ]
}
_LIFETIMES: Final[JsonSchemaValue] = {
    "anyOf": [
        *_DURATION["anyOf"],
        {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": f"^(default|{_STATUS_TEXT})$"},
            "additionalProperties": {"$ref": "#/$defs/duration"},
        },
    ]
}
_BY_PARSER: Final[Mapping[object, str]] = {
    parse_duration: "duration", parse_size: "size", parse_rate: "rate", parse_statuses: "statuses",
    parse_ttl: "lifetimes",
}  # fmt: skip
_QUANTITIES: Final[dict[str, JsonSchemaValue]] = {
    "duration": _DURATION, "size": _SIZE, "rate": _RATE, "statuses": _STATUSES, "lifetimes": _LIFETIMES,
}  # fmt: skip
_ELSEWHERE: Final[dict[str, JsonSchemaValue]] = {
    "variable": {"type": "string", "pattern": r"\$\{", "description": "A value with variables of the environment."},
    "file": {
        "type": "object",
        "properties": {"file": {"type": "string", "minLength": 1}},
        "required": ["file"],
        "additionalProperties": False,
        "description": "The content of a file, as a secret's.",
    },
}
"""What may stand for any single value."""
_MARK: Final = "x-quantity"
"""In place of a reference, which pydantic would look for among its own."""
_FROM_ELSEWHERE: Final = [{"$ref": "#/$defs/variable"}, {"$ref": "#/$defs/file"}]
_SCALARS: Final = frozenset({"string", "integer", "number", "boolean"})


class _PolicySchema(GenerateJsonSchema):
    """Knows what the validators before a value accept beside it."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """A quantity as it is written; or what stands for the value: a text for a list of one, and the like."""
        function = schema["function"]["function"]
        parser = getattr(function, "__wrapped__", None)
        if (quantity := _BY_PARSER.get(parser)) is not None:
            return {_MARK: quantity}
        inner = self.generate_inner(schema["schema"])
        alone = getattr(function, "alone", None)
        return inner if alone is None else {"anyOf": [inner, _standing_alone(alone, inner)]}


def _standing_alone(form: str, inner: JsonSchemaValue) -> JsonSchemaValue:
    """What may be written in place of a list of one, of a tag's section, or of a table's."""
    if form == "item":
        items: JsonSchemaValue = inner["items"]
        return items
    return {"type": "string"} if form == "text" else {"type": "array"}


def policy_schema() -> dict[str, JsonValue]:
    """The whole schema."""
    made = PolicyShape.model_json_schema(schema_generator=_PolicySchema, mode="validation")
    definitions = {name: _opened(one) for name, one in made.pop("$defs").items()}
    definitions |= {name: _beside(one) for name, one in _QUANTITIES.items()} | _ELSEWHERE
    whole = _opened(made)
    return {
        "$schema": DIALECT,
        "title": "policies.yaml of Veneer",
        **{key: value for key, value in whole.items() if key != "title"},
        "$defs": dict(sorted(definitions.items())),
    }


def _opened(schema: JsonSchemaValue) -> JsonSchemaValue:
    """The schema with variables and files of secrets where a single value may stand."""
    if _MARK in schema:
        kept = {key: value for key, value in schema.items() if key == "description"}
        return {**kept, "$ref": f"#/$defs/{schema[_MARK]}"}
    found = {key: _within(key, value) for key, value in schema.items() if key not in ("title", "default", "risk")}
    return _beside(found) if _is_single(found) else found


def _within(key: str, value: JsonValue) -> JsonValue:
    if key == "propertyNames":
        return value
    if key in ("properties", "$defs", "patternProperties") and isinstance(value, dict):
        return {name: _opened(one) if isinstance(one, dict) else one for name, one in value.items()}
    if isinstance(value, dict):
        return _opened(value)
    if isinstance(value, list):
        return [_opened(one) if isinstance(one, dict) else one for one in value]
    return value


def _is_single(schema: JsonSchemaValue) -> bool:
    return schema.get("type") in _SCALARS or "enum" in schema or "const" in schema


def _beside(schema: JsonSchemaValue) -> JsonSchemaValue:
    """What the schema takes, or what stands for it; a description stays where editors look for it."""
    kept = {key: schema[key] for key in ("description",) if key in schema}
    bare = {key: value for key, value in schema.items() if key not in kept}
    options = bare["anyOf"] if set(bare) == {"anyOf"} else [bare]
    return {**kept, "anyOf": [*options, *_FROM_ELSEWHERE]}


def render() -> str:
    """The schema as it is shipped."""
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the schema to the path given."""
    return write_generated(render, "python -m veneer.policy.json_schema docs/policies.schema.json", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
