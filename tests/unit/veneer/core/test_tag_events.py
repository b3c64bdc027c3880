"""Plain events: tags, and what is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veneer.core.change_events import ChangeEvent, UnreadableEventError
from veneer.core.tag_events import decode_tag_event, decode_tag_fields


def test_an_event_names_tags_its_position_and_what_it_is_as_of() -> None:
    text = '{"tags": ["user:42", "users:*", "user:42"], "position": "1-7", "as_of_ms": 1764500000000}'
    assert decode_tag_event(text) == ChangeEvent(
        tags=("user:42", "users:*"), as_of_ms=1_764_500_000_000, position="1-7"
    )


def test_an_event_may_be_a_watermark_alone() -> None:
    assert decode_tag_event(b'{"tags": [], "as_of_ms": 5}') == ChangeEvent(as_of_ms=5)


@pytest.mark.parametrize("tags", [b'["user:1", "users"]', b"user:1,users", b"user:1 users", b" user:1, users "])
def test_an_entry_of_a_stream_may_have_the_members_as_fields(tags: bytes) -> None:
    event = decode_tag_fields({b"tags": tags, b"as_of_ms": b"5", b"position": b"p"})
    assert event == ChangeEvent(tags=("user:1", "users"), as_of_ms=5, position="p")


def test_an_entry_of_a_stream_may_hold_json() -> None:
    assert decode_tag_fields({b"event": b'{"tags": ["a"]}'}).tags == ("a",)
    assert decode_tag_fields({b"tags": b"a"}).tags == ("a",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "JSON"),
        ("[]", "no object"),
        ("{}", '"tags" is no list'),
        ('{"tag": ["a"]}', "'tag' is unknown"),
        ('{"tags": "a"}', "no list"),
        ('{"tags": [1]}', "no string"),
        ('{"tags": [""]}', "1 to 1024"),
        ('{"tags": ["a b"]}', "no space"),
        ('{"tags": ["us*rs"]}', "after a colon"),
        (json.dumps({"tags": ["a"] * 1_001}), "1001"),
        ('{"tags": [], "as_of_ms": "5"}', "milliseconds"),
        ('{"tags": [], "as_of_ms": 5.5}', "milliseconds"),
        ('{"tags": [], "as_of_ms": true}', "milliseconds"),
        ('{"tags": [], "as_of_ms": 1764500000000000}', "milliseconds"),
        ('{"tags": [], "position": 5}', "printable"),
        (json.dumps({"tags": [], "position": "a\nb"}), "printable"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(UnreadableEventError, match=says):
        decode_tag_event(text)


@pytest.mark.parametrize(
    "fields", [{}, {b"tag": b"a", b"x": b"y"}, {b"tags": b"a", b"as_of_ms": b"soon"}, {b"\xff": b"", b"a": b""}]
)
def test_an_entry_that_is_no_event_is_refused(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(UnreadableEventError):
        decode_tag_fields(fields)


@given(st.dictionaries(st.sampled_from([b"tags", b"position", b"as_of_ms", b"x"]), st.binary(max_size=40)))
def test_whatever_comes_is_read_or_refused(fields: dict[bytes, bytes]) -> None:
    try:
        event = decode_tag_fields(fields)
    except UnreadableEventError:
        return
    assert all(tag and "," not in tag and " " not in tag for tag in event.tags)
