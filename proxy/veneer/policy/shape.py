"""How keys of policies.yaml are written: quantities, names, and what each key says of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints
from pydantic_core import PydanticCustomError

from veneer.policy import spelling
from veneer.policy.lifetimes import Ttl, parse_ttl
from veneer.policy.units import Rate, UnitError, parse_duration, parse_rate, parse_size, parse_statuses


class Unit(str):
    """How a quantity is written, for the reference: duration, size, rate, statuses."""

    __slots__ = ()


def _reads(parse: Any) -> BeforeValidator:
    def read(value: object) -> object:
        try:
            return parse(value)
        except UnitError as error:
            context = {"why": str(error), "hint": error.suggestion, "at": error.at}
            raise PydanticCustomError("unit", "{why}", context) from None

    read.__dict__["__wrapped__"] = parse  # for veneer.policy.json_schema
    return BeforeValidator(read)


def standing_alone(form: str, wrap: Callable[[object], object]) -> BeforeValidator:
    """What may stand in place of a longer form, which `wrap` makes of it.

    `form` says what: "item" stands for a list of one, "text" and "list" for a section.
    """
    wrap.__dict__["alone"] = form  # for veneer.policy.json_schema
    return BeforeValidator(wrap)


Duration = Annotated[float, _reads(parse_duration), Unit("duration")]
Lifetimes = Annotated[Ttl, _reads(parse_ttl), Unit("duration, or durations by status")]
Size = Annotated[int, _reads(parse_size), Unit("size")]
RateText = Annotated[Rate, _reads(parse_rate), Unit("rate")]
OneOrMore = standing_alone("item", lambda value: [value] if isinstance(value, str) else value)
"""A text alone stands for a list of one."""
Statuses = Annotated[frozenset[int], _reads(parse_statuses), Unit("statuses")]
Name = Annotated[str, StringConstraints(pattern=spelling.NAME)]
FieldName = Annotated[str, StringConstraints(pattern=spelling.FIELD_NAME)]
Method = Annotated[str, StringConstraints(pattern=spelling.METHOD)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2048)]


def option(default: Any, meaning: str, risk: str | None = None, **bounds: Any) -> Any:
    """One key: its default, its meaning, the risk of changing it and its bounds."""
    extra: dict[str, JsonValue] | None = {"risk": risk} if risk else None
    return Field(default, description=meaning, json_schema_extra=extra, **bounds)


def section(shape: type[BaseModel], meaning: str) -> Any:
    """A key that holds further keys, all of which have defaults."""
    return Field(default_factory=shape, description=meaning)


def required(meaning: str, **bounds: Any) -> Any:
    """A key that must be given."""
    return Field(description=meaning, **bounds)


class Shape(BaseModel):
    """Strict, closed and frozen: no key is ignored and no value is guessed."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, populate_by_name=False)
