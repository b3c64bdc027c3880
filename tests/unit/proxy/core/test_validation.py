"""Validation: RFC 9111 section 4.3, RFC 9110 section 13."""

import pytest

from proxy.core.dates import format_date
from proxy.core.entry import Entry, Position
from proxy.core.fields import Fields, Pair
from proxy.core.messages import RequestHead, ResponseHead
from proxy.core.outcome import Reason
from proxy.core.rules import CacheRules, SetCookieRule
from proxy.core.validation import (
    Freshened,
    Mismatch,
    completion_request,
    conditional_request,
    entry_for_304,
    freshen,
    freshen_from_head,
    miss_request,
    unconditional_request,
)
from proxy.core.validators import make_etag
from tests.support.exchanges import RULES, T, dated, entry_of, request, response

FRESH: Pair = ("Cache-Control", "max-age=10")
ETAG: Pair = ("ETag", '"x"')
MODIFIED: Pair = ("Last-Modified", format_date(T - 1000))
OWN: Pair = ("ETag", make_etag(b"0123456789"))
NEW_BORN = Position("epoch", 9)


def updated(
    entry: Entry, head: ResponseHead, rules: CacheRules = RULES, to: RequestHead | None = None
) -> Freshened | Mismatch:
    asked = to if to is not None else request()
    return freshen(entry, asked, head, request_time=T + 20, response_time=T + 21, born=NEW_BORN, rules=rules)


# ---------------------------------------------------------------- asking


def test_validators_go_out_as_they_came_and_the_client_s_own_conditions_do_not() -> None:
    asked = request(
        ("If-None-Match", '"theirs"'), ("If-Modified-Since", "z"), ("Range", "bytes=0-1"), ("If-Range", "q"), ("A", "b")
    )
    entry = entry_of(dated(FRESH, ("ETag", 'W/"x"'), MODIFIED))
    assert conditional_request(asked, [entry]).fields == Fields(
        [("A", "b"), ("If-None-Match", 'W/"x"'), ("If-Modified-Since", MODIFIED[1])]
    )


def test_all_variants_tags_are_offered_once_each() -> None:
    entries = [entry_of(dated(FRESH, ("ETag", tag))) for tag in ('"a"', '"b"', '"a"')]
    assert conditional_request(request(), entries).fields.get("if-none-match") == '"a", "b"'


def test_tags_that_the_origin_does_not_know_are_not_offered() -> None:
    assert "if-none-match" not in conditional_request(request(), [entry_of(dated(FRESH, OWN))]).fields
    assert "if-none-match" not in conditional_request(request(), [entry_of(dated(FRESH, ("ETag", "bare")))]).fields


def test_a_miss_forwards_the_client_s_conditions_unless_only_we_understand_them() -> None:
    theirs = request(("If-None-Match", '"theirs"'), ("If-Modified-Since", "z"))
    assert miss_request(theirs) == theirs
    for tag in (OWN[1], '"x-br"'):
        assert len(miss_request(request(("If-None-Match", f'"y", {tag}'), ("If-Modified-Since", "z"))).fields) == 0


def test_a_vary_miss_offers_the_other_variants() -> None:
    other = entry_of(dated(FRESH, ETAG, MODIFIED))
    fields = miss_request(request(("If-None-Match", '"theirs"')), [other]).fields
    assert fields == Fields([("If-None-Match", '"x"')])


def test_a_whole_fetch_has_no_conditions() -> None:
    asked = request(("If-None-Match", '"a"'), ("If-Match", "*"), ("Range", "bytes=1-"), ("A", "b"))
    assert unconditional_request(asked).fields == Fields([("A", "b")])


def test_completion_names_the_beginning_it_continues() -> None:
    strong, weak = entry_of(dated(FRESH, ETAG)), entry_of(dated(FRESH, ("ETag", 'W/"x"')))
    assert completion_request(request(), strong, "bytes=5-").fields == Fields(
        [("Range", "bytes=5-"), ("If-Range", '"x"')]
    )
    assert completion_request(request(), weak, "bytes=5-").fields == Fields([("Range", "bytes=5-")])


def test_which_entry_a_304_selects() -> None:
    a, b = entry_of(dated(FRESH, ("ETag", '"a"'))), entry_of(dated(FRESH, ("ETag", '"b"'), MODIFIED))
    assert entry_for_304([a, b], response(("ETag", '"b"'), status=304)) is b
    assert entry_for_304([a, b], response(("ETag", 'W/"b"'), status=304)) is b
    assert entry_for_304([a, b], response(("ETag", '"c"'), status=304)) is None
    assert entry_for_304([a, b], response(MODIFIED, status=304)) is b
    assert entry_for_304([a, b], response(status=304)) is None
    assert entry_for_304([a], response(status=304)) is a
    dated_only, mute = entry_of(dated(FRESH, MODIFIED)), entry_of(dated(FRESH))
    assert entry_for_304([dated_only], response(ETAG, MODIFIED, status=304)) is dated_only
    assert entry_for_304([mute], response(status=304)) is None
    assert entry_for_304([mute, a], response(status=304)) is a


# ---------------------------------------------------------------- applying


def test_a_304_replaces_the_fields_it_carries_and_renews_the_times() -> None:
    entry = entry_of(dated(FRESH, ETAG, ("A", "1"), ("B", "2"), ("Age", "5"), ("Content-Length", "10")))
    news = (("Date", format_date(T + 21)), ETAG, ("a", "9"), ("Cache-Control", "max-age=99"), ("Content-Length", "0"))
    found = updated(entry, response(*news, ("Content-Encoding", "gzip"), ("Connection", "c"), ("C", "3"), status=304))
    assert isinstance(found, Freshened)
    fields = found.entry.fields
    assert [
        fields.get(name) for name in ("a", "b", "c", "age", "cache-control", "content-length", "content-encoding")
    ] == ["9", "2", None, None, "max-age=99", "10", None]
    assert (found.entry.request_time, found.entry.response_time, found.entry.born) == (T + 20, T + 21, NEW_BORN)
    assert found.entry.body == entry.body


def test_a_304_without_a_date_was_made_when_it_came() -> None:
    found = updated(entry_of(dated(FRESH, ETAG)), response(status=304))
    assert isinstance(found, Freshened)
    assert found.entry.fields.get("date") == format_date(T + 21)


@pytest.mark.parametrize(
    ("stored", "fresh", "same"),
    [
        ([ETAG], [ETAG], True),
        ([ETAG], [("ETag", '"y"')], False),
        ([ETAG], [("ETag", 'W/"x"')], True),
        ([ETAG], [("ETag", 'W/"y"')], False),
        ([ETAG], [], True),
        ([MODIFIED], [MODIFIED], True),
        ([MODIFIED], [("Last-Modified", format_date(T))], False),
        ([OWN, MODIFIED], [ETAG, MODIFIED], True),
        ([MODIFIED], [ETAG], False),
        ([MODIFIED], [("ETag", 'W/"x"'), MODIFIED], True),
        ([("ETag", 'W/"x"')], [ETAG], False),
        ([("ETag", 'W/"x"')], [("ETag", 'W/"x"')], True),
        ([MODIFIED], [("Last-Modified", "Friday, 15-Jan-27 07:43:20 GMT")], True),
        ([ETAG, MODIFIED], [MODIFIED], True),
    ],
)
def test_another_representation_does_not_update(stored: list[Pair], fresh: list[Pair], same: bool) -> None:
    found = updated(entry_of(dated(FRESH, *stored)), dated(*fresh, status=304))
    assert isinstance(found, Freshened) if same else found == Mismatch(Reason.VALIDATOR_CHANGED)


def test_a_new_vary_is_described_from_the_request() -> None:
    found = updated(entry_of(dated(FRESH, ETAG)), dated(("Vary", "Foo"), status=304), to=request(("Foo", "1")))
    assert isinstance(found, Freshened)
    assert found.entry.vary == (("foo", "1"),)


def test_cookies_of_a_304_stay_with_their_client_unless_the_response_may_be_stored_with_them() -> None:
    cookie = ("Set-Cookie", "a=1")
    explicit = updated(entry_of(dated(FRESH, ETAG)), dated(cookie, status=304))
    assert isinstance(explicit, Freshened)
    assert (explicit.entry.fields.get("set-cookie"), explicit.personal) == ("a=1", ())
    silent = entry_of(dated(ETAG, MODIFIED))
    for entry, rules in ((silent, RULES), (silent, CacheRules(set_cookie=SetCookieRule.STRIP))):
        found = updated(entry, dated(cookie, status=304), rules)
        assert isinstance(found, Freshened)
        assert ("set-cookie" in found.entry.fields, found.personal) == (False, (cookie,))
    stored = updated(silent, dated(cookie, status=304), CacheRules(set_cookie=SetCookieRule.STORE))
    assert isinstance(stored, Freshened)
    assert stored.entry.fields.get("set-cookie") == "a=1"


def from_head(entry: Entry, head: ResponseHead) -> Freshened | Mismatch | None:
    return freshen_from_head(
        entry, request(method="HEAD"), head, request_time=T, response_time=T, born=NEW_BORN, rules=RULES
    )


def test_head_updates_a_get_of_the_same_length_and_validators() -> None:
    entry = entry_of(dated(FRESH, ETAG, ("A", "1"), ("B", "2")))
    found = from_head(entry, dated(("A", "9"), ETAG, ("Content-Length", "10")))
    assert isinstance(found, Freshened)
    assert (found.entry.fields.get("a"), found.entry.fields.get("b")) == ("9", "2")
    for other in (("Content-Length", "11"), ("ETag", '"y"'), MODIFIED):
        assert from_head(entry, dated(other)) == Mismatch(Reason.VALIDATOR_CHANGED)
    assert from_head(entry, dated(("A", "9"), status=410)) is None
    assert isinstance(from_head(entry_of(dated(FRESH, OWN)), dated(ETAG)), Freshened)
