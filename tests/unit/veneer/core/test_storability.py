"""What a shared cache may store: RFC 9111 section 3."""

from dataclasses import replace

import pytest

from tests.support.exchanges import RULES, T, dated, request, response
from veneer.core.entry import ByteSpan
from veneer.core.fields import Pair
from veneer.core.messages import RequestHead
from veneer.core.outcome import Reason
from veneer.core.rules import CacheRules, SetCookieRule
from veneer.core.storability import Judgement, NotStorable, Storable, check_body, judge

FRESH: Pair = ("Cache-Control", "max-age=60")
COOKIE: Pair = ("Set-Cookie", "sid=1")
AUTH: Pair = ("Authorization", "Bearer x")
OLD: Pair = ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")


def judged(to: RequestHead, *fields: Pair, status: int = 200, rules: CacheRules = RULES) -> Judgement:
    return judge(to, dated(*fields, status=status), rules, T, T)


def reason(to: RequestHead, *fields: Pair, status: int = 200, rules: CacheRules = RULES) -> Reason | None:
    found = judged(to, *fields, status=status, rules=rules)
    return found.reason if isinstance(found, NotStorable) else None


@pytest.mark.parametrize("status", [200, 204, 299, 302, 404, 499, 503, 599])
def test_explicit_freshness_makes_any_final_status_storable(status: int) -> None:
    assert reason(request(), FRESH, status=status) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("no-store, max-age=60", Reason.NO_STORE),
        ("No-Store", Reason.NO_STORE),
        ("private, max-age=60", Reason.PRIVATE),
        ("must-understand, no-store, max-age=60", None),
        ("no-cache", Reason.NO_USE),
        ("max-age=0", Reason.NO_USE),
    ],
)
def test_directives(value: str, expected: Reason | None) -> None:
    assert reason(request(), ("Cache-Control", value)) == expected


def test_must_understand_needs_a_status_that_is_understood() -> None:
    assert (
        reason(request(), ("Cache-Control", "must-understand, max-age=60"), status=599) is Reason.STATUS_NOT_UNDERSTOOD
    )


def test_the_request_can_forbid_storing() -> None:
    assert reason(request(("Cache-Control", "no-store")), FRESH) is Reason.REQUEST_NO_STORE


@pytest.mark.parametrize(("status", "expected"), [(103, Reason.STATUS_INTERIM), (304, Reason.STATUS_NOT_MODIFIED)])
def test_statuses_that_are_no_answers_of_their_own(status: int, expected: Reason) -> None:
    assert reason(request(), FRESH, status=status) is expected


@pytest.mark.parametrize("status", [401, 412, 416, 429, 431])
def test_errors_that_one_request_deserved_are_not_for_others(status: int) -> None:
    assert reason(request(), FRESH, status=status) is Reason.STATUS_ABOUT_REQUEST


def test_without_freshness_only_some_statuses_and_only_with_a_validator() -> None:
    assert reason(request(), ("ETag", '"x"')) is None
    assert reason(request(), ("ETag", "unquoted")) is Reason.NO_USE
    assert reason(request(), ("ETag", '"x"'), status=302) is Reason.NO_FRESHNESS
    assert reason(request(), OLD, ("Cache-Control", "public"), status=302) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("max-age=60", Reason.AUTHORIZATION),
        ("max-age=60, public", None),
        ("max-age=60, must-revalidate", None),
        ("s-maxage=60", None),
    ],
)
def test_authorized_responses_need_an_explicit_word(value: str, expected: Reason | None) -> None:
    assert reason(request(AUTH), ("Cache-Control", value)) == expected
    assert reason(request(AUTH), ("Cache-Control", value), rules=CacheRules(share_authorized=True)) is None


def test_set_cookie_is_not_stored_by_default_unless_the_origin_has_it_left_out() -> None:
    assert reason(request(), COOKIE, FRESH) is Reason.SET_COOKIE
    for directive in ("no-cache", "private"):
        found = judged(request(), COOKIE, ("Cache-Control", f'max-age=60, {directive}="Set-Cookie"'))
        assert isinstance(found, Storable)
        assert "set-cookie" not in found.fields


def test_set_cookie_where_the_policy_takes_the_origin_s_own_freshness_for_leave() -> None:
    trusting = CacheRules(set_cookie=SetCookieRule.EXPLICIT)
    assert reason(request(), COOKIE, FRESH, rules=trusting) is None
    assert reason(request(), COOKIE, OLD, rules=trusting) is Reason.SET_COOKIE
    assert reason(request(), COOKIE, rules=replace(trusting, ttl_s=60)) is Reason.SET_COOKIE


def test_set_cookie_as_the_route_says() -> None:
    assert reason(request(), COOKIE, FRESH, rules=CacheRules(set_cookie=SetCookieRule.REFUSE)) is Reason.SET_COOKIE
    assert reason(request(), COOKIE, OLD, rules=CacheRules(set_cookie=SetCookieRule.STORE)) is None
    stored = judged(request(), COOKIE, FRESH, rules=CacheRules(set_cookie=SetCookieRule.STORE))
    assert isinstance(stored, Storable)
    assert not stored.may_share
    stripped = judged(request(), COOKIE, OLD, rules=CacheRules(set_cookie=SetCookieRule.STRIP))
    assert isinstance(stripped, Storable)
    assert "set-cookie" not in stripped.fields
    assert stripped.may_share


@pytest.mark.parametrize(
    ("to", "fields", "share"),
    [
        (request(), [FRESH], True),
        (request(), [("ETag", '"x"'), ("Cache-Control", "max-age=60, no-cache")], False),
        (request(), [("ETag", '"x"'), ("Cache-Control", "max-age=0")], False),
        (request(AUTH), [("Cache-Control", "s-maxage=60")], True),
        (request(AUTH), [("Cache-Control", "public, max-age=60")], True),
    ],
)
def test_what_waiting_requests_may_have(to: RequestHead, fields: list[Pair], share: bool) -> None:
    found = judged(to, *fields)
    assert isinstance(found, Storable)
    assert found.may_share is share


def test_vary_star_is_not_stored_wherever_it_stands() -> None:
    for value in ("*", "*, *", ", *", "Foo, *"):
        assert reason(request(), FRESH, ("Vary", value)) is Reason.VARY_STAR


def test_reasons_of_the_resource_are_to_be_remembered_those_of_the_request_not() -> None:
    private = judged(request(), ("Cache-Control", "private"))
    asked = judged(request(("Cache-Control", "no-store")), FRESH)
    assert (private, asked) == (NotStorable(Reason.PRIVATE, True), NotStorable(Reason.REQUEST_NO_STORE, False))


@pytest.mark.parametrize(
    ("fields", "status", "expected"),
    [
        ([FRESH, ("Content-Location", "/a")], 200, None),
        ([FRESH, ("Content-Location", "http://site/a")], 200, None),
        ([FRESH, ("Content-Location", "/b")], 200, Reason.POST_WITHOUT_LOCATION),
        ([FRESH, ("Content-Location", "http://other/a")], 200, Reason.POST_WITHOUT_LOCATION),
        ([FRESH], 200, Reason.POST_WITHOUT_LOCATION),
        ([FRESH, ("Content-Location", "/a")], 201, Reason.POST_WITHOUT_LOCATION),
        ([OLD, ("Content-Location", "/a")], 200, Reason.NO_FRESHNESS),
    ],
)
def test_post_is_stored_for_get_when_it_says_so(fields: list[Pair], status: int, expected: Reason | None) -> None:
    found = judged(request(method="POST"), *fields, status=status)
    assert (found.reason if isinstance(found, NotStorable) else None) == expected
    assert isinstance(found, NotStorable) or found.as_get


def test_other_methods() -> None:
    for method in ("HEAD", "PUT", "DELETE", "OPTIONS", "FOO"):
        assert reason(request(method=method), FRESH) is Reason.METHOD
    assert reason(request(method="QUERY"), FRESH) is Reason.QUERY_WITHOUT_DIGEST
    assert isinstance(judge(request(method="QUERY"), dated(FRESH), RULES, T, T, body_digest="d"), Storable)


def test_stored_fields_lack_hops_and_qualified_ones_and_gain_a_date() -> None:
    head = response(
        ("Cache-Control", 'max-age=60, no-cache="a", private="b"'),
        ("A", "1"),
        ("B", "2"),
        ("C", "3"),
        ("Connection", "d"),
        ("D", "4"),
        ("Trailer", "x"),
        ("Cache-Status", "o; hit"),
    )
    found = judge(request(), head, RULES, T, T)
    assert isinstance(found, Storable)
    assert list(found.fields.names()) == ["cache-control", "c", "date"]


def test_partial_responses() -> None:
    part = ("Content-Range", "bytes 4-9/10")
    ranged = request(("Range", "bytes=-6"))
    found = judged(ranged, FRESH, part, status=206)
    assert isinstance(found, Storable)
    assert found.span == ByteSpan(4, 9, 10, "bytes=-6")
    assert check_body(found, 6, RULES) == found
    short = check_body(found, 5, RULES)
    assert isinstance(short, Storable)
    assert short.span == ByteSpan(4, 8, 10, "bytes=-6")
    assert check_body(found, 5, CacheRules(trust_short_partial=True)) == found
    assert check_body(found, 7, RULES) == NotStorable(Reason.BAD_CONTENT_RANGE)
    assert reason(ranged, FRESH, status=206) is Reason.BAD_CONTENT_RANGE
    assert reason(ranged, FRESH, ("Content-Range", "bytes 9-4/10"), status=206) is Reason.BAD_CONTENT_RANGE
    assert reason(ranged, FRESH, part, ("Content-Type", "multipart/byteranges; boundary=x"), status=206) is (
        Reason.BAD_CONTENT_RANGE
    )


def test_bodies_are_bounded() -> None:
    found = judged(request(), FRESH)
    assert isinstance(found, Storable)
    assert check_body(found, 11, CacheRules(max_body_bytes=10)) == NotStorable(Reason.TOO_LARGE)


def test_what_can_be_validated_is_kept_after_its_freshness() -> None:
    rules = CacheRules(keep_stale_s=1000, stale_on_disconnect=False)
    for fields, keep_s in (
        ([FRESH], 60),
        ([FRESH, ("ETag", '"x"')], 1060),
        ([("Cache-Control", "max-age=60, stale-if-error=100, stale-while-revalidate=5")], 160),
    ):
        found = judged(request(), *fields, rules=rules)
        assert isinstance(found, Storable)
        assert found.keep_s == keep_s


def test_a_failing_origin_is_not_remembered_as_uncacheable() -> None:
    assert judged(request(), status=500) == NotStorable(Reason.NO_FRESHNESS, remember=False)
    assert judged(request(), status=302) == NotStorable(Reason.NO_FRESHNESS, remember=True)
    assert judged(request(AUTH), FRESH) == NotStorable(Reason.AUTHORIZATION, remember=True)
