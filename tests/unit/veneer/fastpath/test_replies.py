"""A response is answered like the one before only where it is like it in everything that matters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from veneer.core.field_edits import FieldEdits, edits
from veneer.core.fields import Fields
from veneer.core.rules import CodingRules
from veneer.fastpath.replies import MAX_REPLIES, AnsweredMiss, ResponseTemplates
from veneer.fastpath.response_shapes import ResponseHeadShape, read
from veneer.http1.grammar import MAX_PLAIN_HEAD_BYTES
from veneer.observe.repeats import RecordTemplate
from veneer.pipeline.exchange import CacheResult

RULES = CodingRules(min_bytes=10)
FACTS = RecordTemplate("GET", "all", 200, cache=CacheResult.MISS)
CAME = (
    b"HTTP/1.1 200 Fine\r\nDate: now\r\nServer: x\r\nContent-Length: 3\r\nCache-Control: no-store\r\n"
    b'ETag: "a"\r\nConnection: keep-alive\r\n\r\n'
)
SERVED = (
    b"HTTP/1.1 200 Fine\r\nDate: now\r\nServer: x\r\nContent-Length: 3\r\nCache-Control: no-store\r\n"
    b'ETag: "a"\r\nVary: Accept-Encoding\r\nVia: 1.1 veneer\r\nCache-Status: Veneer; fwd=uri-miss\r\n'
    b"X-Request-ID: r1\r\nX-Response-Time: 1.000ms\r\n\r\n"
)


SHORT = CAME + b"xyz"
LONG = CAME.replace(b": 3", b": 12") + b"x" * 12
CODED = (
    SERVED.replace(b"Content-Length: 3\r\n", b"")
    .replace(b'"a"', b'"a-br"')
    .replace(b"Vary", b"Content-Encoding: br\r\nVary")
    .replace(b"1.000ms\r\n", b"1.000ms\r\nContent-Length: 7\r\n")
)


def known(came: bytes = CAME, served: bytes = SERVED, refusal: str = "no-store") -> ResponseTemplates:
    """What is known after such an answer."""
    replies = ResponseTemplates(RULES)
    replies.learn(AnsweredMiss(came, served, refusal, '"made"'), FACTS)
    return replies


def answer(replies: ResponseTemplates, raw: bytes, *, made_etag: str = "") -> bytes:
    """The head of the answer up to the request ID."""
    found = replies.find(raw)
    assert found is not None
    etag = made_etag if found.template.makes_etag else found.values[found.shape.etag].decode()
    found.values.append(found.template.etag_of(etag))
    return found.template.head.filled(found.values)


def test_the_answer_has_the_values_of_the_response() -> None:
    replies = known()
    other = CAME.replace(b"now", b"some other time").replace(b": 3", b": 9").replace(b'"a"', b'W/"bcd"')
    for raw in (CAME + b"xyz", other + b"x" * 9, CAME, other):
        found = replies.find(raw)
        assert found is not None
        date, length, tag = found.values
        assert answer(replies, raw) + b"r1\r\nX-Response-Time: 1.000ms\r\n\r\n" == SERVED.replace(b"now", date).replace(
            b": 3", b": " + length
        ).replace(b'"a"', tag)
        assert raw.endswith(b"\r\n\r\n" + b"x" * found.came_bytes) or found.came_bytes == 3
        assert (found.shape.reason, found.values[found.shape.length]) == ("Fine", length)


def edited(changes: FieldEdits, came: bytes, served: bytes) -> ResponseTemplates:
    replies = ResponseTemplates(RULES, edits=changes)
    replies.learn(AnsweredMiss(came, served, "no-store", '"made"'), FACTS)
    return replies


def test_a_line_that_the_route_sets_is_the_same_for_all() -> None:
    changes = edits([("Server", "veneer"), ("X-Correlation-Id", "1")], [("Link", "</a>")], ["X-Gone"])
    came = CAME.replace(b"Server: x", b"Server: x\r\nX-Gone: 1\r\nX-Correlation-Id: 1")
    own = b"Server: veneer\r\nX-Correlation-Id: 1\r\nLink: </a>\r\n"
    served = SERVED.replace(b"Server: x\r\n", b"").replace(b"Vary", own + b"Vary")
    replies = edited(changes, came, served)
    assert answer(replies, came.replace(b"Id: 1", b"Id: 2")) == served.partition(b"r1")[0]


def test_a_line_beside_a_value_of_the_backend_s_is_left_to_the_pipeline() -> None:
    changes = edits([], [("ETag", "x")], [])
    assert len(edited(changes, CAME, SERVED)) == 0


def test_a_coded_answer_has_the_tag_of_its_form_and_its_own_length() -> None:
    replies = ResponseTemplates(RULES)
    replies.learn(AnsweredMiss(LONG, CODED, "", ""), replace(FACTS, coding="br"))
    other = LONG.replace(b'"a"', b'"b"') + b"more"
    assert answer(replies, other) == CODED.replace(b'"a-br"', b'"b-br"').partition(b"r1")[0]
    assert b'\r\nETag: W/"c"\r\n' in answer(replies, LONG.replace(b'"a"', b'W/"c"'))
    found = replies.find(other)
    assert found is not None
    assert found.template.end(5) == b"Content-Length: 5\r\n\r\n"


def test_what_is_too_short_to_be_coded_has_an_answer_of_its_own() -> None:
    replies = ResponseTemplates(RULES)
    replies.learn(AnsweredMiss(LONG, CODED, "", ""), replace(FACTS, coding="br"))
    assert replies.find(SHORT) is None
    replies.learn(AnsweredMiss(SHORT, SERVED, "", ""), FACTS)
    for raw, coding in ((SHORT, ""), (LONG, "br"), (SHORT, "")):
        found = replies.find(raw)
        assert found is not None
        assert found.template.coding == coding


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Content-Encoding: br", b"Content-Encoding: br\r\nX-New: x"),
        (b'"a-br"', b'"a"'),
        (b"Content-Length: 7\r\n", b""),
    ],
)
def test_a_coded_answer_that_says_more_teaches_nothing(old: bytes, new: bytes) -> None:
    replies = ResponseTemplates(RULES)
    assert old in CODED
    replies.learn(AnsweredMiss(LONG, CODED.replace(old, new), "", ""), replace(FACTS, coding="br"))
    assert len(replies) == 0


def test_the_fields_are_those_of_the_response() -> None:
    reading = read(CAME)
    assert reading is not None
    fields = ResponseHeadShape(reading).fields([b"then", b"12", b'"b"'])
    assert fields == Fields(
        [
            ("Date", "then"),
            ("Server", "x"),
            ("Content-Length", "12"),
            ("Cache-Control", "no-store"),
            ("ETag", '"b"'),
        ]
    )
    assert fields.joined == {name.lower(): value for name, value in fields.pairs}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"no-store", b"max-age=9"),
        (b"Server: x", b"Server: y"),
        (b"200 Fine", b"200 OK"),
        (b"200 Fine", b"404 Fine"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"Date: now", b"Date: \xfcber"),
        (b"Date: now", b"Date: a\x00b"),
        (b"Date: now", b"Date: a\rb"),
        (b"Date: now", b"Date: a\nSet-Cookie: b"),
        (b"Date: now", b"Date:  now"),
        (b"Date: now", b"Date: now "),
        (b"Date: now", b"Date: "),
        (b"Date: now\r\n", b""),
        (b"Date: now", b"Date: now\r\nDate: now"),
        (b"Date: now", b"Date: now\r\nSet-Cookie: a=b"),
        (b"Connection: keep-alive", b"Connection: close"),
        (b"Connection: keep-alive", b"Keep-Alive: timeout=1"),
        (b"Date: now", b"Date: " + b"x" * MAX_PLAIN_HEAD_BYTES),
    ],
)
def test_what_differs_in_anything_else_is_not_answered(old: bytes, new: bytes) -> None:
    replies = known()
    assert replies.find(CAME) is not None
    assert old in CAME
    assert replies.find(CAME.replace(old, new)) is None
    assert replies.find(CAME) is not None


@pytest.mark.parametrize(
    "field",
    [
        "Age: 1",
        "Via: 1.0 x",
        "Cache-Status: x",
        "X-Request-ID: x",
        "Transfer-Encoding: chunked",
        "Trailer: x",
        "a b: c",
    ],
)
def test_a_response_that_is_not_plain_teaches_nothing(field: str) -> None:
    came = CAME.replace(b"Server: x", field.encode())
    assert read(came) is None
    assert len(known(came)) == 0


def test_an_answer_with_lines_that_the_response_did_not_have_teaches_nothing() -> None:
    assert not known(served=SERVED.replace(b"Vary:", b"Made-Of-Body:"))
    assert not known(served=SERVED.replace(b'"a"', b'"a-br"'))
    assert not known(served=SERVED.replace(b"Server: x", b"Server: y"))
    assert not known(served=SERVED.replace(b"X-Request-ID", b"X-Other"))
    length = b"Content-Length: 3\r\n"
    assert not known(served=SERVED.replace(length, b"")[:-2] + length + b"\r\n")


def test_an_entity_tag_made_of_the_body_takes_the_place_of_a_value() -> None:
    came = CAME.replace(b'ETag: "a"\r\n', b"")
    replies = known(came, SERVED.replace(b'"a"', b'"made"'))
    assert b'\r\nETag: "another"\r\nVary' in answer(replies, came, made_etag='"another"')


def test_why_tags_forbid_storing_is_for_the_pipeline_to_say() -> None:
    tagged = b'Cache-Groups: "g"\r\nDate'
    came, served = CAME.replace(b"Date", tagged), SERVED.replace(b"Date", tagged)
    assert not known(came, served)
    assert known(came, served, refusal="")


def test_what_is_remembered_is_bounded() -> None:
    replies = ResponseTemplates(RULES)
    for number in range(MAX_REPLIES + 1):
        came, served = (head.replace(b"Server: x", b"Server: %d" % number) for head in (CAME, SERVED))
        replies.learn(AnsweredMiss(came, served, "no-store", ""), FACTS)
        assert replies.find(came) is not None
    assert len(replies) == 1


def test_bytes_that_are_no_head_are_left_alone() -> None:
    for raw in (b"", b"\r\n\r\n", b"x", CAME[:-1], b"\0" * 100):
        assert known().find(raw) is None
