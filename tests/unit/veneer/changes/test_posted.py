"""Events that are posted: one, several, and what is refused as a whole."""

from __future__ import annotations

import json

import pytest

from veneer.changes.events import DebeziumEvents, EventSum, TagEvents
from veneer.changes.posted import MAX_POSTED_EVENTS, PostedEvents, PostedEventsError, read_posted
from veneer.core.row_changes import ColumnTemplate, TableRules

USERS = TableRules("public.users", (ColumnTemplate(("user:", ""), ("id",)), ColumnTemplate(("users",), ())))
ONE = b'{"tags": ["a"], "position": "1-1"}'
TWO = b'{"tags": ["b", "a"]}'


def posted(body: bytes) -> PostedEvents:
    return read_posted(body, TagEvents(), EventSum(everything=("all:*",)))


@pytest.mark.parametrize("body", [b"[" + ONE + b"," + TWO + b"]", ONE + b"\n" + TWO, ONE + b"\r\n\r\n" + TWO + b"\n"])
def test_several_events_come_in_an_array_or_in_lines(body: bytes) -> None:
    assert posted(body) == PostedEvents(2, ("a", "b"), "1-1", ())


@pytest.mark.parametrize(
    "body", [ONE, b"\n" + ONE + b"\n", b'{\n"tags": ["a"],\n"position": "1-1"}', b"[" + ONE + b"]"]
)
def test_one_event_may_be_written_over_lines(body: bytes) -> None:
    assert posted(body) == PostedEvents(1, ("a",), "1-1", ())


def test_an_empty_array_changes_nothing() -> None:
    assert posted(b"[]") == PostedEvents(0, (), "", ())


def test_many_tags_are_all_named() -> None:
    events = [{"tags": [f"t:{n}:{m}" for m in range(900)]} for n in range(5)]
    assert len(posted(json.dumps(events).encode()).tags) == 4_500


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "not JSON"),
        (b"[" + ONE, "the array cannot be read"),
        (b"[" + ONE + b",{}]", "event 2: "),
        (ONE + b"\n{}", "line 2: "),
        (b"{}", '^"tags" is no list'),
        (b"[" + b"0," * MAX_POSTED_EVENTS + b"0]", "at most"),
        (b"[" * 100_000, "the array cannot be read"),
    ],
)
def test_a_body_with_anything_wrong_is_refused_as_a_whole_and_it_says_where(body: bytes, says: str) -> None:
    with pytest.raises(PostedEventsError, match=says):
        posted(body)


def change(number: int, op: str = "u") -> dict[str, object]:
    after = None if op == "d" else {"id": number}
    source = {"connector": "postgresql", "schema": "public", "table": "users", "lsn": number}
    return {"op": op, "before": None, "after": after, "source": source}


def test_debeziums_events_come_alone_or_with_their_keys() -> None:
    def read(*events: object) -> PostedEvents:
        return read_posted(json.dumps(events).encode(), DebeziumEvents(), EventSum((USERS,)))

    assert read({"key": {"id": 7}, "value": change(7)}) == PostedEvents(1, ("user:7", "users"), "7", ())
    assert read(change(7)).tags == ("users", "user:*") or set(read(change(7)).tags) == {"users", "user:*"}
    assert read({"key": {"id": 7}, "value": change(7, "d")}, {"key": {"id": 7}, "value": None}).gaps == ()
    assert read(None).gaps == ("a tombstone without the deletion before it",)


def test_an_event_with_a_gap_names_all_tags() -> None:
    body = json.dumps({"ddl": "ALTER TABLE users", "source": {}}).encode()
    found = read_posted(body, DebeziumEvents(), EventSum((USERS,)))
    assert (set(found.tags), found.gaps) == ({"user:*", "users"}, ("a schema was changed",))
