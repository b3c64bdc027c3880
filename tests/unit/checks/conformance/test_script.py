"""The origin's bytes are those the suite's tests were written for."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from checks.conformance.magic import http_date
from checks.conformance.script import Reply, Request, Script
from checks.conformance.suite import Step
from checks.conformance.wire import Lines

NOW_MS = 1_800_000_000_999
DATE = "Fri, 15 Jan 2027 08:00:00 GMT"


def script(*steps: Mapping[str, object]) -> Script:
    return Script("token", msgspec.convert(list(steps), type=list[Step]))


def get(number: int | None = 1, method: str = "GET", version: str = "HTTP/1.1", **fields: str) -> Request:
    lines = [(name.replace("_", "-"), value) for name, value in fields.items()]
    if number is not None:
        lines.append(("Req-Num", str(number)))
    return Request(method, "/test/token", version, Lines(tuple(lines)))


def head(reply: Reply) -> list[str]:
    return reply.raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")


def test_a_plain_answer() -> None:
    reply = script({}).answer(get(), NOW_MS)
    assert reply.raw == (
        b"HTTP/1.1 200 OK\r\nServer-Base-Url: /test/token\r\nServer-Request-Count: 1\r\nClient-Request-Count: 1\r\n"
        b"Server-Now: 1800000000999\r\nContent-Type: text/plain\r\nRequest-Numbers: 1\r\n"
        b"Date: Fri, 15 Jan 2027 08:00:00 GMT\r\n"
        b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 5\r\n\r\ntoken"
    )
    assert not reply.close


def test_lines_of_one_name_stay_lines_and_are_remembered_if_checked() -> None:
    play = script({"response_headers": [["Age", "1"], ["age", "2"], ["Foo", "x", False], ["Expires", 1]]})
    lines = head(play.answer(get(), NOW_MS))
    assert [line for line in lines if line.lower().startswith("age")] == ["age: 1", "age: 2"]
    assert "Expires: Fri, 15 Jan 2027 08:00:01 GMT" in lines
    assert play.seen[0].response_headers == [
        ("Age", "1"),
        ("age", ["1", "2"]),
        ("Expires", "Fri, 15 Jan 2027 08:00:01 GMT"),
    ]


def test_a_length_or_coding_given_by_the_step_is_sent_whatever_the_body_is() -> None:
    longer = script({"response_headers": [["Content-Length", "2"]]}).answer(get(), NOW_MS)
    assert head(longer).count("Content-Length: 2") == 1
    assert longer.raw.endswith(b"\r\n\r\ntoken")
    coded = script({"response_headers": [["Transfer-Encoding", "odd"]]}).answer(get(), NOW_MS)
    assert not any(line.startswith("Content-Length") for line in head(coded))


def test_connection_fields_of_the_step_replace_the_usual_ones() -> None:
    listed = script({"response_headers": [["Connection", "a, b"]]}).answer(get(), NOW_MS)
    assert [line for line in head(listed) if line.startswith(("Connection", "Keep-Alive"))] == ["Connection: a, b"]
    assert not listed.close
    assert script({"response_headers": [["Connection", "close"]]}).answer(get(), NOW_MS).close


def test_no_body_where_there_cannot_be_one() -> None:
    for reply in (
        script({"response_status": [204, "No Content"]}).answer(get(), NOW_MS),
        script({"response_status": [304, "Not Modified"]}).answer(get(), NOW_MS),
        script({}).answer(get(method="HEAD"), NOW_MS),
    ):
        assert reply.raw.endswith(b"\r\n\r\n")
        assert not any(line.startswith("Content-Length") for line in head(reply))


def test_http_1_0_is_ended_by_closing() -> None:
    reply = script({}).answer(get(version="HTTP/1.0"), NOW_MS)
    assert reply.close
    assert "Connection: close" in head(reply)
    assert not any(line.startswith("Content-Length") for line in head(reply))


def test_only_the_literal_validator_of_the_step_before_validates() -> None:
    first = {"response_headers": [["ETag", '"a"'], ["Last-Modified", -60]]}

    def status(number: int, **fields: str) -> str:
        play = script(first, {"expected_type": "etag_validated"}, {"expected_type": "etag_validated"})
        play.answer(get(), NOW_MS)
        return head(play.answer(get(number, **fields), NOW_MS))[0]

    assert status(2, if_none_match='"a"') == "HTTP/1.1 304 Not Modified"
    assert status(2, if_modified_since="Fri, 15 Jan 2027 07:59:00 GMT") == "HTTP/1.1 304 Not Modified"
    assert status(2, if_none_match='"a", "b"') == "HTTP/1.1 999 304 Not Generated"
    assert status(2) == "HTTP/1.1 999 304 Not Generated"
    assert status(3, if_none_match='"a"') == "HTTP/1.1 999 304 Not Generated"


def test_a_tag_beyond_ascii_is_utf_8_beside_a_body_and_latin_1_without() -> None:
    step = {"response_headers": [["ETag", '"ü"']]}
    assert 'ETag: "ü"'.encode() in script(step).answer(get(), NOW_MS).raw
    assert 'ETag: "ü"'.encode("latin-1") in script(step).answer(get(method="HEAD"), NOW_MS).raw


def test_locations_are_under_the_tested_resource() -> None:
    step = {"magic_locations": True, "response_headers": [["Location", "a"], ["Content-Location", ""]]}
    lines = head(script(step).answer(get(), NOW_MS))
    assert "Location: /test/token/a" in lines
    assert "Content-Location: /test/token" in lines


def test_interim_responses_come_first_and_a_disconnect_sends_nothing() -> None:
    reply = script({"interim_responses": [[102], [103, [["link", "</a>"]]]]}).answer(get(), NOW_MS)
    early = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"
    assert reply.raw.startswith(early)
    play = script({"disconnect": True})
    gone = play.answer(get(), NOW_MS)
    assert gone.hang_up
    assert gone.raw == b""
    assert len(play.seen) == 1


def test_a_request_without_number_is_taken_in_order_of_arrival() -> None:
    play = script({}, {"response_status": [404, "Not Found"]})
    assert head(play.answer(get(None), NOW_MS))[0] == "HTTP/1.1 200 OK"
    lines = head(play.answer(get(None), NOW_MS))
    assert lines[0] == "HTTP/1.1 404 Not Found"
    assert "Request-Numbers: NaN NaN" in lines
    assert play.step_for(get(3)) is None


def test_request_lines_are_joined_but_for_those_that_come_once() -> None:
    lines = Lines((("Foo", "1"), ("foo", "2"), ("ETag", "a"), ("ETag", "b"), ("Cookie", "a"), ("Cookie", "b")))
    request = Request("GET", "/", "HTTP/1.1", lines)
    assert request.joined() == {"foo": "1, 2", "etag": "a", "cookie": "a; b"}


def test_dates() -> None:
    assert http_date(NOW_MS, 0) == DATE
    assert http_date(NOW_MS, -1, rfc850=True) == "Friday, 15-Jan-27 07:59:59 GMT"
