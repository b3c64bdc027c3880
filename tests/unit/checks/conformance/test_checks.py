"""Every kind of demand can fail."""

from __future__ import annotations

import msgspec
import pytest

from checks.conformance.checks import CheckError, NotSeenError, check_response, check_seen
from checks.conformance.client import FetchError, Response
from checks.conformance.script import Seen
from checks.conformance.suite import Step
from checks.conformance.wire import Lines

COUNTED = [("Server-Request-Count", "1")]


def step(**fields: object) -> Step:
    return msgspec.convert(fields, type=Step)


def response(
    lines: list[tuple[str, str]] | None = None, *, status: int = 200, body: bytes = b"token", broken: str | None = None
) -> Response:
    return Response(status, "", Lines(tuple(COUNTED if lines is None else lines)), body, (), broken)


def seen(number: int = 1, **fields: str) -> Seen:
    return Seen(number, "GET", fields, [])


MET = [
    (step(), response()),
    (step(expected_type="cached", expected_status=304), response(status=304, lines=[]), 2),
    (step(expected_type="cached", expected_status=None), response(), 2),
    (step(expected_type="not_cached"), response()),
    (step(response_status=[404, "x"]), response(status=404)),
    (step(expected_status=304, check_body=False), response(status=304, body=b"")),
    (step(expected_response_headers=[["Age", ">", 2]]), response([*COUNTED, ("Age", "3.9")])),
    (step(expected_response_headers=[["a", "=", "b"]]), response([("a", "1"), ("B", "1")])),
    (step(expected_response_headers=["Age", ["a", "1, 2"]]), response([("Age", ""), ("A", "1"), ("a", "2")])),
    (step(expected_response_headers_missing=["Age", ["TE", "x"]]), response([("TE", "x")])),
    (step(response_body="hello"), response(body=b"hello")),
    (step(response_body=None, response_status=[204, ""]), response(status=204, body=b"")),
    (step(expected_response_text="01"), response(body=b"01")),
    (step(expected_response_text=None), response(body=b"anything")),
    (step(request_method="HEAD"), response(body=b"")),
]

UNMET = [
    (step(), response(status=404), True),
    (step(), response(status=999), False),
    (step(setup=True), response(status=999), True),
    (step(), response(body=b"other"), True),
    (step(), response([("Request-Numbers", "1 2 1")]), True),
    (step(expected_type="cached"), response(), False),
    (step(expected_type="cached"), response([]), False),
    (step(expected_type="cached", setup_tests=["expected_type"]), response(), True),
    (step(expected_type="not_cached"), response([("Server-Request-Count", "0")]), False),
    (step(expected_status=304), response(), False),
    (step(response_status=[404, ""]), response(), True),
    (step(expected_response_headers=["Age"]), response(), False),
    (step(expected_response_headers=[["Age", ">", 2]]), response([("Age", "2")]), False),
    (step(expected_response_headers=[["Age", ">", 2]]), response([]), False),
    (step(expected_response_headers=[["a", "=", "b"]]), response([("a", "1"), ("b", "2")]), False),
    (step(expected_response_headers=[["a", "1"]]), response([("a", "1"), ("a", "1")]), False),
    (step(expected_response_headers_missing=["A"]), response([("a", "")]), False),
    (step(expected_interim_responses=[[103]]), response(), False),
    (step(expected_response_text="01"), response(), False),
    (step(response_body="hello"), response(), True),
]


@pytest.mark.parametrize("case", MET, ids=range(len(MET)))
def test_what_is_met_passes(case: tuple[Step, Response] | tuple[Step, Response, int]) -> None:
    demand, given, number = case if len(case) == 3 else (*case, 1)
    check_response(demand, number, given, "token")


@pytest.mark.parametrize(("demand", "given", "setup"), UNMET, ids=range(len(UNMET)))
def test_what_is_unmet_fails(demand: Step, given: Response, setup: bool) -> None:
    with pytest.raises(CheckError) as caught:
        check_response(demand, 1, given, "token")
    assert caught.value.setup is setup


def test_an_interim_response_too_many_fails() -> None:
    hinted = Response(200, "", Lines(()), b"token", ((103, Lines(())),))
    with pytest.raises(CheckError, match="too many"):
        check_response(step(expected_interim_responses=[]), 1, hinted, "token")
    check_response(step(), 1, hinted, "token")


def test_a_body_cut_short_is_no_response() -> None:
    with pytest.raises(FetchError):
        check_response(step(), 1, response(broken="ended early"), "token")


def test_what_the_origin_saw() -> None:
    asked = step(expected_request_headers=["A", ["b", "1"]], expected_request_headers_missing=["c", ["d", "1"]])
    check_seen([asked], [response()], [seen(a="", b="1", d="2")])
    for wrong in (seen(b="1"), seen(a="", b="2"), seen(a="", b="1", c=""), seen(a="", b="1", d="1")):
        with pytest.raises(CheckError):
            check_seen([asked], [response()], [wrong])
    with pytest.raises(NotSeenError):
        check_seen([asked], [response()], [])


def test_a_conditional_request_must_have_reached_the_origin() -> None:
    for kind, field in (("etag_validated", "if-none-match"), ("lm_validated", "if-modified-since")):
        demand = step(expected_type=kind)
        check_seen([demand], [response()], [Seen(1, "GET", {field: "x"}, [])])
        with pytest.raises(CheckError, match=field):
            check_seen([demand], [response()], [seen()])
        with pytest.raises(CheckError, match="reach"):
            check_seen([demand], [response()], [])


def test_requests_answered_from_the_cache_are_not_looked_for_at_the_origin() -> None:
    steps = [step(), step(expected_type="cached"), step(expected_type="not_cached")]
    check_seen(steps, [response()] * 3, [seen(1), seen(3)])
    with pytest.raises(CheckError):
        check_seen(steps, [response()] * 3, [seen(1), seen(2)])
    with pytest.raises(NotSeenError):
        check_seen(steps, [response()] * 3, [seen(1)])


def test_the_method_at_the_origin() -> None:
    with pytest.raises(CheckError, match="HEAD"):
        check_seen([step(expected_method="HEAD")], [response()], [seen()])


def test_fields_of_the_script_must_arrive_unchanged_but_for_date() -> None:
    sent = Seen(1, "GET", {}, [("Cache-Control", ["a", "b"]), ("Date", "x")])
    check_seen([step()], [response([("cache-control", "a, b")])], [sent])
    with pytest.raises(CheckError) as caught:
        check_seen([step()], [response([("cache-control", "a,b")])], [sent])
    assert caught.value.setup
