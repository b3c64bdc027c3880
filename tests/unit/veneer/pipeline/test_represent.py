"""A stored response in the form that a client asks for."""

from __future__ import annotations

import pytest

from tests.support.exchanges import entry_of, response
from tests.support.pipeline import Bench
from veneer.core.entry import Entry
from veneer.core.fields import Pair
from veneer.core.outcome import CacheStatus
from veneer.pipeline.represent import Representation, coded_form, proxy_lines, represent

LONG = b"0123456789" * 200
TEXT: Pair = ("Content-Type", "text/plain")


def entry(*fields: Pair, body: bytes = LONG) -> Entry:
    return entry_of(response(("Cache-Control", "max-age=60"), ("ETag", '"one"'), TEXT, *fields), body=body)


def shown(stored: Entry, *fields: Pair, method: str = "GET", route: str = "") -> Representation:
    bench = Bench(f"{{name: r, match: {{path: /x}}{route}}}")
    return represent(bench.exchange(*fields, method=method), stored, bench.clock.now())


def test_without_wishes_it_is_shown_as_it_is_stored() -> None:
    form = shown(entry())
    assert (form.head.status, form.body, form.coding) == (200, LONG, "")


def test_a_coding_is_still_to_be_made_and_has_an_entity_tag_of_its_own() -> None:
    form = shown(entry(), ("Accept-Encoding", "br"))
    assert (form.coding, form.uncoded, form.identity_bytes) == ("br", True, len(LONG))
    assert form.head.fields.get("etag") == '"one-br"'
    assert "accept-encoding" in (form.head.fields.get("vary") or "").lower()


@pytest.mark.parametrize(
    ("stored", "route"),
    [
        (entry(body=b"short"), ""),
        (entry(("Content-Encoding", "gzip")), ""),
        (entry(("Cache-Control", "no-transform")), ""),
        (entry(), ", compress: {enabled: false}"),
        (entry(), ", compress: {prefer: [gzip]}"),
    ],
    ids=["short", "coded", "no-transform", "off", "another"],
)
def test_what_is_not_coded(stored: Entry, route: str) -> None:
    assert shown(stored, ("Accept-Encoding", "br"), route=route).coding == ""


@pytest.mark.parametrize("tag", ['"one-br"', '"one-br+"', "*"])
def test_a_client_that_has_either_form_of_its_coding_is_told_so(tag: str) -> None:
    form = shown(entry(), ("If-None-Match", tag), ("Accept-Encoding", "br"))
    assert (form.head.status, form.body) == (304, b"")


@pytest.mark.parametrize(
    ("range_", "status", "body"),
    [("bytes=0-3", 206, b"0123"), ("bytes=-4", 206, b"6789"), ("bytes=5000-", 416, b""), ("lines=1", 200, LONG)],
)
def test_ranges(range_: str, status: int, body: bytes) -> None:
    form = shown(entry(), ("Range", range_))
    assert form.head.status == status
    assert (b"".join(form.pieces) if form.pieces else form.body) == body


def test_several_ranges_are_parts_with_a_boundary() -> None:
    form = shown(entry(), ("Range", "bytes=0-1,100-101"))
    assert (form.head.fields.get("content-type") or "").startswith("multipart/byteranges; boundary=")
    assert b"".join(form.pieces).count(b"Content-Range: bytes ") == 2


def test_if_range_of_another_version_gets_the_whole() -> None:
    assert shown(entry(), ("Range", "bytes=0-3"), ("If-Range", '"other"')).head.status == 200


def test_head_is_shown_the_coding_that_get_would_have() -> None:
    assert coded_form(Bench().exchange(("Accept-Encoding", "br"), method="HEAD"), entry())[0] == "br"


def test_the_proxys_lines_name_cache_request_and_time() -> None:
    status = CacheStatus(hit=True, ttl_s=5)
    lines = dict(proxy_lines(response().fields, status, "id", 1.5, None, via="veneer", now=0.0))
    assert lines["Cache-Status"] == "Veneer; hit; ttl=5"
    assert lines["X-Request-ID"] == "id"
    assert "X-Response-Time" in lines
