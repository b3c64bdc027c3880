"""The values of columns in Debezium's events, as the database itself would write them.

A value whose text cannot be told is left out of the row, which means that it is unknown (core.row_changes): a number
with a fraction, bytes, times, nested values, and what the database has not told (an unchanged TOAST value). With the
schema that an event may carry, decimals and dates are told exactly. Without it a decimal in Debezium's default form,
and a date, look like a string and a number: there `decimal.handling.mode` has to be `string`, or no template may use
such columns.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import date
from typing import Final

from veneer.core.change_events import UnreadableEventError, read_json
from veneer.core.row_changes import UNTOLD

UNAVAILABLE: Final = "__debezium_unavailable_value"
"""Debezium's default for a TOAST value that an UPDATE did not touch (`unavailable.value.placeholder`)."""

Types = Mapping[str, Mapping[str, object]]
"""The schema of each column, by its name; empty without a schema."""

_DECIMAL: Final = "org.apache.kafka.connect.data.Decimal"
_DATES: Final = ("io.debezium.time.Date", "org.apache.kafka.connect.data.Date")
_AS_THEY_ARE: Final = frozenset(
    {
        "io.debezium.data.Uuid", "io.debezium.data.Enum", "io.debezium.data.Json", "io.debezium.data.Xml",
        "io.debezium.data.EnumSet", "io.debezium.time.Year", "io.debezium.data.Ltree",
    }
)  # fmt: skip
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_MAX_SCALE: Final = 1_000
_MAX_UNSCALED_BYTES: Final = 256


def members(value: object, what: str) -> dict[str, object]:
    """An object of JSON. Raises UnreadableEventError."""
    if not isinstance(value, dict):
        msg = f"{what} is no object"
        raise UnreadableEventError(msg)
    return value


def types_of(schema: object) -> dict[str, dict[str, object]]:
    """The schemas of a struct's fields, by name; none where there is no schema."""
    found: dict[str, dict[str, object]] = {}
    fields = schema.get("fields") if isinstance(schema, dict) else None
    for field in fields if isinstance(fields, list) else ():
        if isinstance(field, dict) and isinstance(name := field.get("field"), str):
            found[name] = field
    return found


def row_of(columns: Mapping[str, object], types: Types, *, updated: bool = False) -> dict[str, str | None]:
    """The row, less what cannot be told; in the new row of an update (`updated`) that is UNTOLD."""
    row: dict[str, str | None] = {}
    for name, value in columns.items():
        if value is None:
            row[name] = None
        elif (text := text_of(value, types.get(name))) is not None:
            row[name] = text
        elif updated and value != UNAVAILABLE:
            row[name] = UNTOLD
    return row


def text_of(value: object, schema: Mapping[str, object] | None) -> str | None:
    """A value's text as the database writes it; None when it cannot be told. SQL's NULL is not asked for."""
    if schema is not None:
        kind = schema.get("name")
        if isinstance(kind, str) and kind not in _AS_THEY_ARE:
            return _of_kind(value, kind, schema)
        if schema.get("type") == "bytes":
            return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | str):
        return None if value == UNAVAILABLE else str(value)
    return _of_struct(value)  # nothing of INEXACT, and of an array


def _of_struct(value: object) -> str | None:
    """A decimal that says its own scale (io.debezium.data.VariableScaleDecimal)."""
    if isinstance(value, dict) and value.keys() == {"scale", "value"}:
        return _decimal(value["value"], value["scale"])
    return None


def _of_kind(value: object, kind: str, schema: Mapping[str, object]) -> str | None:
    if kind == _DECIMAL:
        parameters = schema.get("parameters")
        scale = parameters.get("scale") if isinstance(parameters, dict) else None
        return _decimal(value, int(scale) if isinstance(scale, str) and scale.isdecimal() else scale)
    if kind in _DATES and isinstance(value, int):
        day = _EPOCH_DAY + value
        return date.fromordinal(day).isoformat() if 1 <= day <= date.max.toordinal() else None
    return _of_struct(value)


def _decimal(unscaled: object, scale: object) -> str | None:
    """A decimal of base64 digits (two's complement, big-endian) and a scale, with as many digits behind the point."""
    if not isinstance(unscaled, str) or not isinstance(scale, int) or not 0 <= scale <= _MAX_SCALE:
        return None
    try:
        raw = base64.b64decode(unscaled, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not raw or len(raw) > _MAX_UNSCALED_BYTES:
        return None
    number = int.from_bytes(raw, "big", signed=True)
    digits = str(abs(number)).rjust(scale + 1, "0")
    text = f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits
    return f"-{text}" if number < 0 else text


# ------------------------------------------------------------ MongoDB


def document_row(text: object, what: str, *, updated: bool = False) -> dict[str, str | None]:
    """The top level of a document that is told as a string of MongoDB's Extended JSON. Raises UnreadableEventError.

    In the new one of an update (`updated`) what cannot be told is UNTOLD.
    """
    document = read_json(text) if isinstance(text, str) else text
    row: dict[str, str | None] = {}
    for name, value in members(document, what).items():
        if value is None:
            row[name] = None
        elif (one := extended_text(value)) is not None:
            row[name] = one
        elif updated:
            row[name] = UNTOLD
    return row


def extended_text(value: object) -> str | None:
    """A value of Extended JSON (v2, and v1's $binary) as one writes it in a path; None when it cannot be told."""
    if not isinstance(value, dict):
        return text_of(value, None)
    match value:
        case {"$oid": str(text)} | {"$numberLong": str(text)} | {"$numberInt": str(text)} | {"$symbol": str(text)}:
            return text
        case {"$numberDecimal": str(text)} | {"$uuid": str(text)}:
            return text
        case {"$binary": {"base64": str(raw), "subType": "04" | "4"}} | {"$binary": str(raw), "$type": "04" | "4"}:
            return _uuid(raw)
        case _:
            return None


def _uuid(raw: str) -> str | None:
    try:
        digits = base64.b64decode(raw, validate=True).hex()
    except (binascii.Error, ValueError):
        return None
    if len(digits) != 32:
        return None
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
