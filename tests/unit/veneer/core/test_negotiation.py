"""Content codings and their entity tags."""

import pytest

from tests.support.exchanges import request, response
from veneer.core.fields import Fields, Pair
from veneer.core.negotiation import (
    as_client_knows,
    as_origin_knows,
    choose_coding,
    coded_etag,
    coded_fields,
    passing_form,
    uncoded_etag,
    why_not_coded,
    with_vary,
)
from veneer.core.outcome import Reason
from veneer.core.rules import CodingRules

RULES = CodingRules()
JSON: Pair = ("Content-Type", "application/json; charset=utf-8")
ORDER = RULES.prefer


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("gzip, br", "br"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("br;q=0, *", "zstd"),
        ("*;q=0", None),
        ("x-gzip", "gzip"),
        ("deflate", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", "gzip"),
        ("gzip;q=nonsense", None),
    ],
)
def test_the_best_weight_wins_then_our_order(accepted: str | None, coding: str | None) -> None:
    assert choose_coding(accepted, ORDER) == coding


@pytest.mark.parametrize(
    ("fields", "status", "length", "reason"),
    [
        ([JSON], 200, 5000, None),
        ([JSON], 200, None, None),
        ([("Content-Type", "Application/Problem+JSON")], 404, 5000, None),
        ([("Content-Type", "text/html")], 200, 5000, None),
        ([JSON], 200, 1023, Reason.TOO_SMALL),
        ([JSON], 204, 0, Reason.NO_CONTENT),
        ([JSON], 304, None, Reason.NO_CONTENT),
        ([JSON], 206, 5000, Reason.RANGE),
        ([JSON, ("Cache-Control", "no-transform")], 200, 5000, Reason.NO_TRANSFORM),
        ([JSON, ("Content-Encoding", "gzip")], 200, 5000, Reason.ALREADY_CODED),
        ([JSON, ("Content-Encoding", "identity")], 200, 5000, None),
        ([("Content-Type", "text/event-stream")], 200, None, Reason.MEDIA_TYPE),
        ([("Content-Type", "image/png")], 200, 5000, Reason.MEDIA_TYPE),
        ([], 200, 5000, Reason.MEDIA_TYPE),
    ],
)
def test_what_is_not_coded(fields: list[Pair], status: int, length: int | None, reason: Reason | None) -> None:
    assert why_not_coded(request(), response(*fields, status=status), length, RULES) is reason


def test_head_and_no_transform_of_the_request() -> None:
    assert why_not_coded(request(method="HEAD"), response(JSON), 5000, RULES) is Reason.NO_CONTENT
    wanted = request(("Cache-Control", "no-transform"))
    assert why_not_coded(wanted, response(JSON), 5000, RULES) is Reason.NO_TRANSFORM


def test_each_strong_coded_form_has_a_tag_of_its_own() -> None:
    assert coded_etag('"a"', "br") == '"a-br"'
    assert coded_etag('W/"a"', "br") == 'W/"a"'
    assert coded_etag("bare", "br") == "bare"
    assert uncoded_etag('"a-zstd"') == '"a"'
    assert uncoded_etag('"a"') == '"a"'
    assert uncoded_etag('"a-b-br-gzip"') == '"a-b-br"'


def test_a_recompressed_form_has_other_bytes_and_so_another_tag() -> None:
    assert coded_etag('"a"', "br", recompressed=True) == '"a-br+"'
    assert coded_etag('W/"a"', "br", recompressed=True) == 'W/"a"'
    assert uncoded_etag('"a-br+"') == '"a"'
    assert coded_fields(Fields([("ETag", '"a"')]), "zstd", recompressed=True).get("etag") == '"a-zstd+"'


def test_fields_of_a_coded_form() -> None:
    fields = Fields([JSON, ("ETag", '"a"'), ("Content-Length", "5000"), ("Content-Digest", "x"), ("Vary", "Cookie")])
    coded = coded_fields(fields, "br")
    assert [coded.get(name) for name in ("etag", "content-encoding", "vary", "content-length", "content-digest")] == [
        '"a-br"',
        "br",
        "Cookie, Accept-Encoding",
        None,
        None,
    ]
    assert coded_fields(fields, None).get("etag") == '"a"'
    assert coded_fields(fields, None).get("vary") == "Cookie, Accept-Encoding"


@pytest.mark.parametrize(
    ("vary", "expected"),
    [
        (None, "Accept-Encoding"),
        ("", "Accept-Encoding"),
        ("*", "*"),
        ("accept-encoding", "accept-encoding"),
        ("A", "A, Accept-Encoding"),
    ],
)
def test_vary_names_the_field_once(vary: str | None, expected: str) -> None:
    fields = Fields([] if vary is None else [("Vary", vary)])
    assert with_vary(fields, "Accept-Encoding").get("vary") == expected


def test_conditions_go_out_with_the_origin_s_tags() -> None:
    asked = request(("If-Match", '"a-br", "b-br+", "c", W/"d"'), ("If-Range", '"e-br"'))
    known = as_origin_knows(asked, coded_here=True).fields
    assert (known.get("if-match"), known.get("if-range")) == ('"a", "b", "c", W/"d"', '"e-br"')
    assert as_origin_knows(asked, coded_here=False) is asked
    star = request(("If-Match", "*"), ("If-None-Match", "*"))
    assert as_origin_knows(star, coded_here=True) is star


@pytest.mark.parametrize(
    ("held", "accepted", "told"),
    [
        ('"a-br"', "br", '"a-br"'),
        ('W/"a-gzip"', "br", '"a-gzip"'),
        ('"a-gzip", "a-br+", "a-br"', "br", '"a-br+"'),
        ('"a"', "br", '"a"'),
        ('"a-br", "a"', "br", '"a-br"'),
        ('"a-br", "a"', "identity", '"a"'),
        ('"a-br"', "identity", '"a-br"'),
        ('"b-br"', "br", '"a"'),
    ],
)
def test_a_304_comes_back_with_the_tag_that_the_client_holds(held: str, accepted: str, told: str) -> None:
    asked = request(("If-None-Match", held), ("Accept-Encoding", accepted))
    head = as_client_knows(asked, response(("ETag", '"a"'), status=304), RULES)
    assert head.fields.get("etag") == told


def test_a_weak_304_and_a_200_keep_their_tag() -> None:
    asked = request(("If-None-Match", '"a-br"'))
    for head in (response(("ETag", 'W/"a"'), status=304), response(("ETag", '"a"'))):
        assert as_client_knows(asked, head, RULES) is head


@pytest.mark.parametrize(
    ("fields", "status", "varies"),
    [
        ([], 304, True),
        ([JSON], 304, True),
        ([("Content-Type", "image/png")], 304, False),
        ([("Content-Encoding", "gzip")], 304, False),
        ([("Cache-Control", "no-transform")], 304, False),
        ([JSON, ("Content-Range", "bytes 0-1/5000")], 206, True),
        ([JSON, ("Content-Range", "bytes 0-1/20")], 206, False),
        ([JSON, ("Content-Range", "bytes 0-1/*")], 206, True),
        ([("Content-Type", "multipart/byteranges; boundary=x")], 206, True),
    ],
)
def test_a_part_and_a_304_vary_as_the_whole_would(fields: list[Pair], status: int, *, varies: bool) -> None:
    asked = request(("Accept-Encoding", "br"))
    form = passing_form(asked, response(*fields, status=status), 2, RULES)
    assert (form.fields.get("vary") == "Accept-Encoding", form.coding) == (varies, None)
    assert "vary" not in passing_form(asked, response(*fields, status=status), 2, None).fields


def test_a_head_that_passes_has_the_fields_of_the_get() -> None:
    asked = request(("Accept-Encoding", "br"), method="HEAD")
    form = passing_form(asked, response(JSON, ("ETag", '"a"'), ("Content-Length", "5000")), None, RULES)
    names = ("etag", "content-encoding", "vary", "content-length")
    assert [form.fields.get(name) for name in names] == ['"a-br"', "br", "Accept-Encoding", None]
    assert passing_form(asked, response(JSON, ("Content-Length", "20")), None, RULES).coding is None
