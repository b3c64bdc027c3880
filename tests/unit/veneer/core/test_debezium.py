"""Debezium's events, form by form, and whatever else may come in their place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veneer.core.change_events import MAX_EVENT_BYTES, NOTHING, ChangeEvent, UnreadableEventError
from veneer.core.debezium import DebeziumDecoder
from veneer.core.row_changes import ChangeKind, RowChange

DATA = Path(__file__).parents[3] / "data" / "debezium"


def written(value: object) -> bytes | None:
    return None if value is None else json.dumps(value).encode()


def expected(case: dict[str, object]) -> ChangeEvent:
    rows = tuple(RowChange(table, ChangeKind(kind), old, new) for table, kind, old, new in case.get("rows", ()))  # type: ignore[attr-defined]
    moment, position = case.get("as_of_ms"), case.get("position", "")
    assert moment is None or isinstance(moment, int)
    return ChangeEvent(rows, as_of_ms=moment, position=str(position))


@pytest.mark.parametrize("name", ["postgresql", "mysql", "mongodb"])
def test_the_events_of_a_connector_are_read_in_their_order(name: str) -> None:
    decoder = DebeziumDecoder()
    for case in json.loads((DATA / f"{name}.json").read_text("utf-8")):
        event = decoder.decode(written(case.get("key")), written(case["value"]))
        if "gap" in case:
            assert case["gap"] in event.gap, case["says"]
            assert (event.rows, event.as_of_ms) == ((), None), case["says"]
        else:
            assert event == expected(case), case["says"]


def change(**members: object) -> bytes:
    source = {"connector": "postgresql", "schema": "public", "table": "users", "ts_ms": 5}
    return json.dumps({"op": "u", "before": None, "after": {"id": 1}, "source": source, **members}).encode()


def test_old_rows_are_believed_where_each_table_tells_them_whole() -> None:
    before = {"id": 1, "company_id": None, "name": ""}
    event = DebeziumDecoder(full_old_rows=True).decode(b'{"id": 1}', change(before=before))
    assert event.rows[0].old == {"id": "1", "company_id": None, "name": ""}
    deleted = DebeziumDecoder(full_old_rows=True).decode(
        b"default", b'{"id": 1, "company_id": 2, "__deleted": "true", "__table": "users", "__schema": "public"}'
    )
    assert deleted.rows == (RowChange("public.users", ChangeKind.DELETE, {"id": "1", "company_id": "2"}, None),)


def test_a_change_between_two_snapshots_ends_the_first() -> None:
    decoder = DebeziumDecoder()
    source = {"connector": "postgresql", "schema": "public", "table": "users", "snapshot": "true"}
    assert decoder.decode(None, change(op="r", source=source)).gap
    assert decoder.decode(None, change(op="r", source=source)) == NOTHING
    assert decoder.decode(None, change()).rows
    assert decoder.decode(None, change(op="r", source=source)).gap


def test_a_tombstone_without_keys_repeats_the_deletion_before_it_and_no_other() -> None:
    decoder = DebeziumDecoder()
    decoder.decode(None, change(op="d", before={"id": 1}, after=None))
    assert decoder.decode(None, None) == NOTHING
    assert decoder.decode(None, None).gap


def test_the_null_value_of_debezium_server_is_a_tombstone() -> None:
    assert DebeziumDecoder().decode(b'{"id": 1}', b"default").gap
    assert DebeziumDecoder(null_value=b"nil").decode(b'{"id": 1}', b"nil").gap


def unreadable() -> Iterator[bytes]:
    yield b"{"
    yield b"[]"
    yield b"42"
    yield b'"default"'
    yield b"{}"
    yield b'{"id": 1, "name": "flattened without what says of which table"}'
    yield b'{"id": 1, "__op": "u", "__table": "users"}'
    yield b"[" * 100_000
    yield b'{"op": "u"}'
    yield change(op="x")
    yield change(op=1)
    yield change(source=None)
    yield change(source={"table": "users"})
    yield change(source={"schema": "public"})
    yield change(after=None)
    yield change(after=[1])
    yield change(op="c", after="text")
    yield change(op="c", after=None, source={"connector": "mongodb", "db": "d", "collection": "c"})
    yield change(op="u", after=None, source={"connector": "mongodb", "db": "d", "collection": "c"})
    yield change(op="u", after="{", source={"connector": "mongodb", "db": "d", "collection": "c"})
    yield b"\xff"
    yield b'{"op": "' + b"u" * MAX_EVENT_BYTES + b'"}'


@pytest.mark.parametrize("value", list(unreadable()), ids=lambda value: value[:40].decode("latin-1"))
def test_what_cannot_be_read_is_refused_and_never_taken_for_nothing(value: bytes) -> None:
    with pytest.raises(UnreadableEventError):
        DebeziumDecoder().decode(b'{"id": 1}', value)


def test_a_message_names_what_flattened_events_lack() -> None:
    with pytest.raises(UnreadableEventError, match=r"add\.fields"):
        DebeziumDecoder().decode(None, b'{"id": 1}')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "op",
        "before",
        "after",
        "source",
        "schema",
        "payload",
        "__op",
        "__table",
        "__schema",
        "table",
        "ddl",
        "ts_ms",
        "id",
    ]
)


@pytest.mark.no_cover
@given(st.dictionaries(FIELDS, JSON | st.dictionaries(FIELDS, JSON, max_size=4), max_size=6), JSON)
def test_whatever_comes_is_read_or_refused(value: dict[str, object], key: object) -> None:
    try:
        event = DebeziumDecoder().decode(json.dumps(key).encode(), json.dumps(value).encode())
    except UnreadableEventError:
        return
    assert all(row.old is not None or row.new is not None or row.kind is ChangeKind.TRUNCATE for row in event.rows)


@given(st.integers(), st.sampled_from(["c", "u", "d"]))
def test_integers_are_told_digit_by_digit(number: int, op: str) -> None:
    event = DebeziumDecoder().decode(
        json.dumps({"id": number}).encode(), change(op=op, after=None if op == "d" else {"id": number})
    )
    told = {row["id"] for row in (event.rows[0].old, event.rows[0].new) if row is not None}
    assert told == {str(number)}
