"""From a document to the schema's shapes: every error gets its place and the nearest right spelling."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from veneer.policy.document import Document, KeyPath, Plain, show_path
from veneer.policy.problems import ConfigError, misspelt, nearest
from veneer.policy.schema import PolicyShape
from veneer.policy.shape import Unit
from veneer.policy.spelling import in_words
from veneer.policy.units import format_duration, format_size

_PER_ITEM = ("upstreams", "rate_limits", "identities", "routes", "tests")
_MESSAGES = {
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text; put it in quotes",
    "list_type": "must be a list, as in [a, b]",
    "dict_type": "must be a mapping, as in {a: 1}",
    "model_type": "must be a mapping, as in {a: 1}",
    "model_attributes_type": "must be a mapping, as in {a: 1}",
}
_SECTION = frozenset({"model_type", "model_attributes_type"})
_SWITCHED = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_KEYS_SHOWN = 6

_BOUNDS = {
    "greater_than_equal": ("ge", "at least", "small"),
    "greater_than": ("gt", "more than", "small"),
    "less_than_equal": ("le", "at most", "large"),
    "less_than": ("lt", "less than", "large"),
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """What could be read, less sections and items with problems; `routes` and `tests` are the places of the rest."""

    shape: PolicyShape
    routes: tuple[int, ...]
    tests: tuple[int, ...]
    problems: tuple[ConfigError, ...]


def decode(document: Document) -> Decoded:
    """Check a document against the schema, collecting every problem."""
    plain = document.plain()
    if not isinstance(plain, dict):
        position = document.locate(())
        return _empty(
            (ConfigError(position.line, position.column, "", "the file must be a mapping", "begin with `version: 1`"),)
        )
    routes, tests = _indices(plain, "routes"), _indices(plain, "tests")
    try:
        return Decoded(PolicyShape.model_validate(plain), routes, tests, ())
    except ValidationError as error:
        details = error.errors(include_url=False)
    problems = tuple(_problem(document, detail) for detail in details)
    bad = {detail["loc"][: 2 if detail["loc"][:1] and detail["loc"][0] in _PER_ITEM else 1] for detail in details}
    rest = {key: _without(key, value, bad) for key, value in plain.items() if (key,) not in bad}
    return Decoded(
        PolicyShape.model_validate(rest),
        tuple(i for i in routes if ("routes", i) not in bad and ("routes",) not in bad),
        tuple(i for i in tests if ("tests", i) not in bad and ("tests",) not in bad),
        problems,
    )


def _empty(problems: tuple[ConfigError, ...]) -> Decoded:
    return Decoded(PolicyShape(), (), (), problems)


def _indices(plain: dict[str, Plain], key: str) -> tuple[int, ...]:
    value = plain.get(key)
    return tuple(range(len(value))) if isinstance(value, list) else ()


def _without(key: str, value: Plain, bad: set[tuple[int | str, ...]]) -> Plain:
    if isinstance(value, list):
        return [item for index, item in enumerate(value) if (key, index) not in bad]
    if isinstance(value, dict):
        return {name: item for name, item in value.items() if (key, name) not in bad}
    return value


def _problem(document: Document, detail: ErrorDetails) -> ConfigError:
    kind = detail["type"]
    context: dict[str, Any] = detail.get("ctx", {})
    path: KeyPath = (*detail["loc"], *context.get("at", ()))
    message, suggestion = _out_of_bounds(document, path, kind, context) or _explain(path, kind, detail, context)
    on_key = kind == "extra_forbidden" or path[-1:] == ("[key]",)
    if path[-1:] == ("[key]",):
        path = path[:-1]
    if kind == "missing":
        path = path[:-1]
    position = document.locate(path, key=on_key)
    return ConfigError(position.line, position.column, show_path(path), message, suggestion, position.file)


def _out_of_bounds(
    document: Document, path: KeyPath, kind: str, context: dict[str, Any]
) -> tuple[str, str | None] | None:
    """The bound that a number, a size or a duration has missed, written as it would be written in the file."""
    if kind not in _BOUNDS:
        return None
    name, words, size = _BOUNDS[kind]
    node, bound, unit = document.find(path), context[name], _unit_at(path)
    shown = format_size(bound) if unit == "size" else format_duration(bound) if unit == "duration" else f"{bound:g}"
    return f"{_show(node.scalar) if node is not None else 'it'} is too {size}", f"write {words} {shown}"


def _unit_at(path: KeyPath) -> str | None:
    """How a quantity is written where it has a unit; None for plain numbers."""
    shape = _shape_at(path[:-1])
    fields = () if shape is None else shape.model_fields.items()
    for name, field in fields:
        if (field.alias or name) == path[-1]:
            inner = [mark for option in get_args(field.annotation) for mark in getattr(option, "__metadata__", ())]
            return next((str(mark) for mark in (*field.metadata, *inner) if isinstance(mark, Unit)), None)
    return None


def _explain(path: KeyPath, kind: str, detail: ErrorDetails, context: dict[str, Any]) -> tuple[str, str | None]:
    if kind == "extra_forbidden":
        return "unknown key", _nearest_key(path)
    if kind == "missing":
        return f'"{path[-1]}" is missing', None
    if kind == "unit":
        return str(context["why"]), context["hint"]
    value: object = detail["input"]
    if kind == "string_type" and path[-1] == "url" and isinstance(value, list) and len(value) > 1:
        listed = ", ".join(f"{{url: {_show(url)}}}" for url in value[:3])
        return "must be one text, not a list", f"several backends that do the same are `targets: [{listed}]`"
    if kind in _SECTION:
        return _MESSAGES[kind], _section_hint(path, value)
    return _explain_value(kind, detail, context)


def _section_hint(path: KeyPath, value: object) -> str | None:
    """What a section holds, for who has written one value in its place."""
    shape = _shape_at(path)
    if shape is None:
        return None
    keys = key_names(shape)
    if "enabled" in keys and str(value).lower() in _SWITCHED:
        return f"write {{enabled: {str(_SWITCHED[str(value).lower()]).lower()}}}"
    return f"its keys: {', '.join(keys[:_KEYS_SHOWN])}{', ...' if len(keys) > _KEYS_SHOWN else ''}"


def _explain_value(kind: str, detail: ErrorDetails, context: dict[str, Any]) -> tuple[str, str | None]:
    value: object = detail["input"]
    word = value if isinstance(value, str) else ""
    shown = _show(value)
    hint: str | None = None
    message = _MESSAGES.get(kind) or f"{shown}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
    if kind == "literal_error":
        message = f"{shown} is not a known value"
        hint = nearest(word, re.findall("'([^']*)'", expected := str(context["expected"]))) or f"known: {expected}"
    elif kind == "string_pattern_mismatch":
        message = f"{shown} has a character or a length that is not allowed here"
        hint = in_words(str(context["pattern"]), word)
    elif kind in ("too_short", "too_long"):
        few = kind == "too_short"
        message = f"must have at {'least' if few else 'most'} {context['min_length' if few else 'max_length']}"
        hint = "leave the key out, or name one" if few and not value else None
    elif kind == "bool_type" and word.lower() in ("yes", "on", "no", "off"):
        hint = f"write {str(word.lower() in ('yes', 'on')).lower()}, without quotes"
    elif kind == "string_type" and isinstance(value, list | dict):
        message = f"must be one text, not a {'list' if isinstance(value, list) else 'mapping'}"
        if len(value) == 1 and isinstance(value, list):
            hint = f"write {_show(value[0])}"
        elif isinstance(value, dict):
            hint = "put it into quotes: a colon or a brace makes it a mapping"
    elif kind == "list_type" and isinstance(value, dict):
        hint = 'begin each of them with "- "'
    return message, hint


def _nearest_key(path: KeyPath) -> str | None:
    word, shape = str(path[-1]), _shape_at(path[:-1])
    here = key_names(shape) if shape is not None else []
    # Nearly a key of this place; else the very key of another place; else something somewhat like it.
    if (hint := misspelt(word, here, 0.8)) is not None:
        return hint
    for deeper, name in _below(shape, ()) if shape is not None else ():
        if name == word:
            return f'"{name}" belongs under "{".".join(deeper)}"'
    for end in range(len(path) - 2, -1, -1):
        above = _shape_at(path[:end])
        if above is not None and word in key_names(above):
            return f'"{word}" belongs under "{show_path(path[:end])}"' if end else f'"{word}" belongs at the top level'
    return nearest(word, here) or "known: " + ", ".join(here)


def key_names(shape: type[BaseModel]) -> list[str]:
    """The keys of a shape as they are written."""
    return [field.alias or name for name, field in shape.model_fields.items()]


def nested_shape(annotation: object) -> type[BaseModel] | None:
    """The shape within an annotation such as `dict[str, Shape]` or `Shape | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if (found := nested_shape(argument)) is not None:
            return found
    return None


def _shape_at(path: KeyPath) -> type[BaseModel] | None:
    annotation: object = PolicyShape
    for step in path:
        shape = _as_shape(annotation)
        if shape is None:
            annotation = nested_shape(annotation)  # an item of a list or a mapping of shapes
        else:
            fields = {field.alias or name: field.annotation for name, field in shape.model_fields.items()}
            annotation = fields.get(str(step))
    return _as_shape(annotation)


def takes_mapping(path: KeyPath) -> bool:
    """Whether the value at a path may be a mapping: a section, or a mapping by name. So may what nobody knows."""
    above = _shape_at(path[:-1])
    if above is None:
        # Below a list or a mapping by name: what it holds is a section, or a single value.
        return len(path) < 2 or _shape_at(path) is not None
    field = next((field for name, field in above.model_fields.items() if (field.alias or name) == path[-1]), None)
    return field is None or _holds_mapping(field.annotation)


def _holds_mapping(annotation: object) -> bool:
    options = [annotation, *get_args(annotation)]
    return any(get_origin(option) is dict or _as_shape(option) is not None for option in options)


def _as_shape(annotation: object) -> type[BaseModel] | None:
    options = [argument for argument in get_args(annotation) if argument is not type(None)]
    alone = options[0] if len(options) == 1 and type(None) in get_args(annotation) else annotation
    return alone if isinstance(alone, type) and issubclass(alone, BaseModel) else None


def _below(shape: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, field in shape.model_fields.items():
        inner = nested_shape(field.annotation)
        if inner is not None and len(path) < 3:
            here = (*path, field.alias or name)
            yield from ((here, key) for key in key_names(inner))
            yield from _below(inner, here)


def _show(value: object) -> str:
    shown = str(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return f'"{shown}"' if isinstance(value, str) else shown
