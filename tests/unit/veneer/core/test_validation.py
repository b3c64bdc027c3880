"""Validation: RFC 9111 section 4.3, RFC 9110 section 13."""

from dataclasses import replace

import pytest

from tests.support.exchanges import RULES, T, dated, entry_of, request, response
from veneer.core.dates import format_date
from veneer.core.entry import ByteSpan, Entry, Position
from veneer.core.fields import Fields, Pair
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.outcome import Reason
from veneer.core.rules import CacheRules, SetCookieRule
from veneer.core.validation import (
    Freshened,
    Mismatch,
    completion_request,
    conditional_request,
    entry_for_304,
    freshen,
    freshen_from_head,
    is_unasked_304,
    miss_request,
    offerable,
    outdates,
    unconditional_request,
)
from veneer.core.validators import make_etag

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


def test_a_miss_forwards_the_client_s_conditions_as_the_origin_understands_them() -> None:
    theirs = request(("If-None-Match", '"theirs"'), ("If-Modified-Since", "z"))
    assert miss_request(theirs, coded_here=True) is theirs
    ours = request(("If-None-Match", OWN[1]), ("If-Modified-Since", "z"))
    assert len(miss_request(ours, coded_here=True).fields) == 0
    mixed = request(("If-None-Match", f'"y", {OWN[1]}, W/"x-br"'))
    assert miss_request(mixed, coded_here=True).fields.get("if-none-match") == '"y", W/"x"'
    assert miss_request(mixed, coded_here=False).fields.get("if-none-match") == '"y", W/"x-br"'


def test_a_vary_miss_offers_the_other_variants() -> None:
    other = entry_of(dated(FRESH, ETAG, MODIFIED))
    fields = miss_request(request(("If-None-Match", '"theirs"')), [other], coded_here=True).fields
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


def test_which_entry_a_304_confirms() -> None:
    a, b = entry_of(dated(FRESH, ("ETag", '"a"'))), entry_of(dated(FRESH, ("ETag", '"b"'), MODIFIED))
    assert entry_for_304(a, [a, b], response(("ETag", '"b"'), status=304)) is b
    assert entry_for_304(b, [b, a], response(("ETag", 'W/"b"'), status=304)) is b
    assert entry_for_304(a, [a, b], response(("ETag", 'W/"b"'), status=304)) is None
    assert entry_for_304(a, [a, b], response(("ETag", '"c"'), status=304)) is None
    assert entry_for_304(b, [b, a], response(MODIFIED, status=304)) is b
    assert entry_for_304(a, [a, b], response(MODIFIED, status=304)) is None
    assert entry_for_304(a, [a, b], response(status=304)) is None
    assert entry_for_304(a, [a], response(status=304)) is a
    dated_only, mute = entry_of(dated(FRESH, MODIFIED)), entry_of(dated(FRESH))
    assert entry_for_304(dated_only, [dated_only], response(MODIFIED, status=304)) is dated_only
    assert entry_for_304(dated_only, [dated_only], response(ETAG, MODIFIED, status=304)) is None
    assert entry_for_304(mute, [mute], response(status=304)) is None


def test_what_was_not_selected_is_confirmed_by_its_strong_tag_alone() -> None:
    strong, weak = entry_of(dated(FRESH, ETAG, MODIFIED)), entry_of(dated(FRESH, ("ETag", 'W/"x"'), MODIFIED))
    for head in (response(MODIFIED, status=304), response(status=304), response(("ETag", 'W/"x"'), status=304)):
        assert entry_for_304(None, [strong], head) is None
        assert entry_for_304(None, [weak], head) is None
    assert entry_for_304(None, [weak, strong], response(ETAG, status=304)) is strong
    assert entry_for_304(None, [weak], response(ETAG, status=304)) is None


def test_what_may_be_offered_of_other_variants() -> None:
    strong, weak = entry_of(dated(ETAG)), entry_of(dated(("ETag", 'W/"x"'), MODIFIED))
    part = replace(strong, span=ByteSpan(0, 9, 20))
    brotli = entry_of(dated(("ETag", '"b"'), ("Content-Encoding", "br")))
    every = [strong, weak, part, brotli, entry_of(dated(FRESH, OWN)), entry_of(dated(MODIFIED))]
    assert offerable(every, request()) == (strong,)
    assert offerable(every, request(("Accept-Encoding", "br;q=0, *"))) == (strong,)
    assert offerable(every, request(("Accept-Encoding", "gzip, BR"))) == (strong, brotli)


@pytest.mark.parametrize(
    ("method", "status", "ends"),
    [
        *(("GET", status, True) for status in (200, 204, 301, 302, 401, 403, 404, 405, 410, 451)),
        *(("GET", status, False) for status in (206, 304, 400, 408, 412, 416, 429, 500, 503)),
        *(("HEAD", status, True) for status in (301, 401, 404, 410)),
        *(("HEAD", status, False) for status in (200, 204, 405, 429, 501)),
    ],
)
def test_what_ends_the_stored_response(method: str, status: int, *, ends: bool) -> None:
    assert outdates(request(method=method), status) is ends


def test_a_304_has_to_be_asked_for() -> None:
    assert is_unasked_304(request(("If-Match", '"a"')), response(status=304))
    assert not is_unasked_304(request(("If-None-Match", '"a"')), response(status=304))
    assert not is_unasked_304(request(("If-Modified-Since", "a")), response(status=304))
    assert not is_unasked_304(request(), response(status=200))


# ---------------------------------------------------------------- applying


def test_a_304_replaces_the_fields_it_carries_and_renews_the_times() -> None:
    entry = entry_of(dated(FRESH, ETAG, ("A", "1"), ("B", "2"), ("Age", "5"), ("Content-Length", "10")))
    news = (("Date", format_date(T + 21)), ETAG, ("a", "9"), ("Cache-Control", "max-age=99"), ("Content-Length", "0"))
    found = updated(entry, response(*news, ("Connection", "c"), ("C", "3"), status=304))
    assert isinstance(found, Freshened)
    fields = found.entry.fields
    names = ("a", "b", "c", "age", "cache-control", "content-length")
    assert [fields.get(name) for name in names] == ["9", "2", None, None, "max-age=99", "10"]
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
        ([OWN, MODIFIED], [ETAG, MODIFIED], False),
        ([MODIFIED], [ETAG, MODIFIED], False),
        ([("Content-Type", "a/b"), ETAG], [ETAG, ("Content-Type", "A/B; charset=x")], True),
        ([("Content-Type", "a/b"), ETAG], [ETAG, ("Content-Type", "a/c")], False),
        ([("Content-Type", "a/b; charset=x"), ETAG], [ETAG, ("Content-Type", 'a/b; q=1; charset="X"')], True),
        ([("Content-Type", "a/b; charset=x"), ETAG], [ETAG, ("Content-Type", "a/b; charset=y")], False),
        ([ETAG], [ETAG, ("Content-Encoding", "gzip")], False),
        ([("Content-Encoding", "gzip"), ETAG], [ETAG, ("Content-Encoding", "GZIP, identity")], True),
        ([("Content-Encoding", "gzip"), ETAG], [ETAG], True),
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
    trusting = CacheRules(set_cookie=SetCookieRule.EXPLICIT)
    explicit = updated(entry_of(dated(FRESH, ETAG)), dated(cookie, status=304), trusting)
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
    for other in (("Content-Length", "11"), ("ETag", '"y"'), MODIFIED, ("Content-Encoding", "br")):
        assert from_head(entry, dated(other)) == Mismatch(Reason.VALIDATOR_CHANGED)
    assert from_head(entry, dated(("A", "9"), status=410)) is None


def test_a_head_without_a_validator_that_both_have_proves_nothing() -> None:
    assert from_head(entry_of(dated(FRESH)), dated(FRESH, ("Content-Length", "10"))) is None
    assert from_head(entry_of(dated(FRESH, ETAG)), dated(FRESH, ("Content-Length", "10"))) is None
    assert from_head(entry_of(dated(FRESH, OWN)), dated(ETAG)) is None
    assert isinstance(from_head(entry_of(dated(FRESH, OWN, MODIFIED)), dated(MODIFIED)), Freshened)
