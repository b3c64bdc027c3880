"""Values of columns as the database writes them, or unknown."""

from __future__ import annotations

import base64
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veneer.core.change_events import INEXACT
from veneer.core.debezium_values import UNAVAILABLE, extended_text, row_of, text_of, types_of

DECIMAL = {"name": "org.apache.kafka.connect.data.Decimal", "type": "bytes"}


@pytest.mark.parametrize(
    ("value", "schema", "text"),
    [
        (12, None, "12"),
        (True, None, "true"),
        ("12", None, "12"),
        ("", None, ""),
        (UNAVAILABLE, None, None),
        (INEXACT, None, None),
        ([1], None, None),
        ({"a": 1}, None, None),
        ("AQ==", {"type": "bytes"}, None),
        ("x", {"type": "string", "name": "io.debezium.data.Enum"}, "x"),
        (-719_162, {"name": "io.debezium.time.Date"}, "0001-01-01"),
        (-719_163, {"name": "io.debezium.time.Date"}, None),
        ("2026-11-30T10:00:00Z", {"name": "io.debezium.time.ZonedTimestamp"}, None),
        ("AQ==", DECIMAL, None),
        ("AQ==", {**DECIMAL, "parameters": {"scale": "-1"}}, None),
        ("AQ==", {**DECIMAL, "parameters": {"scale": "3"}}, "0.001"),
        ("not base64", {**DECIMAL, "parameters": {"scale": "3"}}, None),
        ("", {**DECIMAL, "parameters": {"scale": "3"}}, None),
        ({"scale": 0, "value": "fw=="}, {"name": "io.debezium.data.VariableScaleDecimal"}, "127"),
    ],
)
def test_a_value_is_told_exactly_or_is_unknown(
    value: object, schema: dict[str, object] | None, text: str | None
) -> None:
    assert text_of(value, schema) == text


@given(st.integers(-(10**20), 10**20), st.integers(0, 12))
def test_decimals_keep_every_digit(unscaled: int, scale: int) -> None:
    raw = unscaled.to_bytes(16, "big", signed=True)
    text = text_of(base64.b64encode(raw).decode(), {**DECIMAL, "parameters": {"scale": str(scale)}})
    assert text is not None
    assert Decimal(text) == Decimal(unscaled).scaleb(-scale)
    assert len(text.partition(".")[2]) == scale


def test_null_is_told_and_what_is_unknown_is_left_out() -> None:
    schema = {"fields": [{"field": "b", "type": "bytes"}, {"field": 3}, "odd"]}
    assert row_of({"a": None, "b": "AQ==", "c": 1}, types_of(schema)) == {"a": None, "c": "1"}
    assert types_of(None) == types_of({"fields": 3}) == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"$oid": "65f1"}, "65f1"),
        ({"$numberDecimal": "1.50"}, "1.50"),
        ({"$numberDouble": "1.5"}, None),
        ({"$binary": "C288Hm8fTw6fOi8+XWx7ig==", "$type": "04"}, "0b6f3c1e-6f1f-4f0e-9f3a-2f3e5d6c7b8a"),
        ({"$binary": {"base64": "AQ==", "subType": "04"}}, None),
        ({"$binary": {"base64": "?", "subType": "04"}}, None),
        ({"$binary": {"base64": "AQ==", "subType": "00"}}, None),
        ("plain", "plain"),
    ],
)
def test_extended_json_is_told_as_one_writes_it_in_a_path(value: object, text: str | None) -> None:
    assert extended_text(value) == text
