"""A response is answered like the one before only where it is like it in everything that matters."""

from __future__ import annotations

import pytest

from veneer.core.fields import Fields
from veneer.fastpath.replies import (
    MAX_REPLIES,
    ResponseTemplate,
    ResponseTemplates,
    read,
    response_template,
)
from veneer.http1.grammar import MAX_PLAIN_HEAD_BYTES
from veneer.observe.repeats import RecordTemplate
from veneer.pipeline.exchange import CacheResult

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


def learned(came: bytes = CAME, served: bytes = SERVED, refusal: str = "no-store") -> ResponseTemplate | None:
    return response_template(came, served, FACTS, refusal, b'"made"')


def known(*, came: bytes = CAME) -> ResponseTemplates:
    reply, replies = learned(came), ResponseTemplates()
    assert reply is not None
    replies.learn(reply)
    return replies


def test_the_answer_has_the_values_of_the_response() -> None:
    replies = known()
    other = CAME.replace(b"now", b"some other time").replace(b": 3", b": 12").replace(b'"a"', b'W/"bcd"')
    for raw in (CAME + b"xyz", other + b"x" * 12, CAME, other):
        found = replies.find(raw)
        assert found is not None
        reply, values = found
        date, length, tag = values
        assert reply.head.filled(values) + b"r1\r\nX-Response-Time: 1.000ms\r\n\r\n" == SERVED.replace(
            b"now", date
        ).replace(b": 3", b": " + length).replace(b'"a"', tag)
        assert raw[reply.pattern.stop - 4 : reply.pattern.stop] == b"\r\n\r\n"
        assert (reply.reason, values[reply.length]) == ("Fine", length)


def test_the_fields_are_those_of_the_response() -> None:
    reply = learned()
    assert reply is not None
    fields = reply.fields([b"then", b"12", b'"b"'])
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
    assert learned(came) is None


def test_an_answer_with_lines_that_the_response_did_not_have_teaches_nothing() -> None:
    assert learned(served=SERVED.replace(b"Vary:", b"Made-Of-Body:")) is None
    assert learned(served=SERVED.replace(b'"a"', b'"a-br"')) is None
    assert learned(served=SERVED.replace(b"Server: x", b"Server: y")) is None
    assert learned(served=SERVED.replace(b"X-Request-ID", b"X-Other")) is None
    length = b"Content-Length: 3\r\n"
    assert learned(served=SERVED.replace(length, b"")[:-2] + length + b"\r\n") is None


def test_an_entity_tag_made_of_the_body_takes_the_place_of_a_value() -> None:
    came = CAME.replace(b'ETag: "a"\r\n', b"")
    reply = learned(came, SERVED.replace(b'"a"', b'"made"'))
    assert reply is not None
    assert reply.makes_etag
    assert b'\r\nETag: "another"\r\nVary' in reply.head.filled([b"now", b"3", b'"another"'])


def test_why_tags_forbid_storing_is_for_the_pipeline_to_say() -> None:
    tagged = b'Cache-Groups: "g"\r\nDate'
    came, served = CAME.replace(b"Date", tagged), SERVED.replace(b"Date", tagged)
    assert learned(came, served) is None
    assert learned(came, served, refusal="") is not None


def test_what_is_remembered_is_bounded() -> None:
    replies = ResponseTemplates()
    for number in range(MAX_REPLIES + 1):
        came = CAME.replace(b"Server: x", b"Server: %d" % number)
        reply = learned(came, SERVED.replace(b"Server: x", b"Server: %d" % number))
        assert reply is not None
        replies.learn(reply)
        assert replies.find(came) is not None
    assert len(replies) == 1


def test_bytes_that_are_no_head_are_left_alone() -> None:
    for raw in (b"", b"\r\n\r\n", b"x", CAME[:-1], b"\0" * 100):
        assert known().find(raw) is None
