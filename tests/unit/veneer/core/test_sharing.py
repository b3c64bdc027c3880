"""The whole table of who may share what, on every way by which a stored answer reaches a second client."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from tests.support.exchanges import T, dated, entry_of, request
from veneer.core.dates import format_date
from veneer.core.entry import Entry
from veneer.core.fields import Fields, Pair
from veneer.core.freshness import freshness
from veneer.core.invalidation import Validity
from veneer.core.key import cache_key
from veneer.core.messages import RequestHead
from veneer.core.outcome import Forward, Reason
from veneer.core.reuse import Decision, Hit, Miss, Revalidate, ServeStale, decide
from veneer.core.rules import CacheRules, CookieRules, KeyRules
from veneer.core.sharing import GUARDED, STATED, TABLE, PrivacySignal, Share, Source, cookie_names, withheld
from veneer.core.storability import NotStorable, judge

GUARANTEES = Path(__file__).parents[4] / "docs" / "guarantees.md"
AUTH: Pair = ("Authorization", "x")
COOKIE: Pair = ("Cookie", "sid=1")
ETAG: Pair = ("ETag", '"x"')
WINDOWS = CacheRules(stale_while_revalidate_s=1000, stale_if_error_s=1000)
TTL = CacheRules(ttl_s=60, stale_while_revalidate_s=1000, stale_if_error_s=1000)
MADE: dict[Source, tuple[tuple[Pair, ...], CacheRules]] = {
    Source.EXPLICIT: ((ETAG, ("Cache-Control", "max-age=60")), WINDOWS),
    Source.POLICY: ((ETAG,), TTL),
    Source.HEURISTIC: ((ETAG, ("Last-Modified", format_date(T - 600))), WINDOWS),
    Source.NONE: ((ETAG,), WINDOWS),
}
CREDENTIALS = {PrivacySignal.NONE: (), PrivacySignal.AUTHORIZATION: (AUTH,), PrivacySignal.COOKIE: (COOKIE,)}
MOMENTS = {"fresh": 1.0, "just stale": 100.0, "long stale": 5000.0}


def asked(mark: PrivacySignal) -> RequestHead:
    return request(*CREDENTIALS[mark])


def decided(entry: Entry, to: RequestHead, rules: CacheRules, after_s: float) -> Decision:
    return decide(to, [(entry, Validity.VALID)], rules, T + after_s)


@pytest.mark.parametrize(("source", "mark"), list(product(MADE, CREDENTIALS)))
def test_what_is_stored_of_whose_request(source: Source, mark: PrivacySignal) -> None:
    fields, rules = MADE[source]
    verdict = judge(asked(mark), dated(*fields), rules, T, T)
    stored = not isinstance(verdict, NotStorable)
    assert stored is (TABLE[source][mark] in (Share.YES, Share.VALIDATED))


@pytest.mark.parametrize(("source", "mark", "after"), list(product(MADE, CREDENTIALS, MOMENTS)))
def test_what_a_guest_s_answer_is_to_others(source: Source, mark: PrivacySignal, after: str) -> None:
    fields, rules = MADE[source]
    entry = entry_of(dated(*fields), rules=rules)
    assert freshness(entry, rules, T).terms.guarded is (source in GUARDED)
    found = decided(entry, asked(mark), rules, MOMENTS[after])
    if mark is not PrivacySignal.NONE and TABLE[source][mark] is Share.BY_POLICY:
        assert isinstance(found, Miss)
        assert found.forward is Forward.REQUEST
        assert found.variants == ()
        return
    if isinstance(found, Hit):
        assert TABLE[source][PrivacySignal.NONE] is Share.YES
        assert after == "fresh"
    elif isinstance(found, ServeStale):
        assert source in STATED
    else:
        assert isinstance(found, Revalidate)
        if source not in STATED:
            assert (found.fallback.on_error_until, found.fallback.on_disconnect_until) == (None, None)


@pytest.mark.parametrize("source", MADE)
def test_what_the_response_says_against_it(source: Source) -> None:
    fields, rules = MADE[source]
    said = [pair for pair in fields if pair[0] != "Cache-Control"]
    own = "max-age=60, " if source is Source.EXPLICIT else ""
    cookie = judge(request(), dated(*fields, ("Set-Cookie", "a=1")), rules, T, T)
    assert isinstance(cookie, NotStorable)
    private = judge(request(), dated(*said, ("Cache-Control", own + "private")), rules, T, T)
    assert isinstance(private, NotStorable)
    entry = entry_of(dated(*said, ("Cache-Control", own + "no-cache")), rules=rules)
    for after_s in MOMENTS.values():
        assert isinstance(decided(entry, request(), rules, after_s), Revalidate)


@pytest.mark.parametrize("status", [301, 404, 410, 501])
def test_redirects_and_errors_are_no_exception(status: int) -> None:
    for mark in (PrivacySignal.AUTHORIZATION, PrivacySignal.COOKIE):
        assert isinstance(judge(asked(mark), dated(ETAG, status=status), WINDOWS, T, T), NotStorable)
    entry = entry_of(dated(ETAG, status=status), rules=WINDOWS)
    found = decided(entry, request(), WINDOWS, 1.0)
    assert isinstance(found, Revalidate)
    assert found.fallback.on_disconnect_until is None


def test_an_overriding_lifetime_leaves_what_the_origin_declared() -> None:
    rules = CacheRules(ttl_s=60, origin=CacheRules().origin.OVERRIDE)
    assert not isinstance(
        judge(asked(PrivacySignal.COOKIE), dated(("Cache-Control", "max-age=9")), rules, T, T), NotStorable
    )
    for said in ("max-age=0", "no-cache, max-age=9"):
        assert isinstance(judge(asked(PrivacySignal.COOKIE), dated(("Cache-Control", said)), rules, T, T), NotStorable)


@pytest.mark.parametrize(
    ("cookie", "why"),
    [
        ("_ga=1", None),
        ("_ga=1; _gat=2", None),
        ("lang=en", None),
        ("sid=1", Reason.COOKIE),
        ("_gsid=1", Reason.COOKIE),
        ("_ga=1; other=2", Reason.COOKIE),
        ("_ga=1, other=2", Reason.COOKIE),
        ("LANG=en", Reason.COOKIE),
        ("other", Reason.COOKIE),
        ("", None),
    ],
)
def test_what_the_policy_says_of_cookies(cookie: str, why: Reason | None) -> None:
    rules = CacheRules(cookies=CookieRules(passes=("_gsid",), key=("lang",), ignored=("_g*",)))
    assert withheld(Fields([("Cookie", cookie)]), rules) is why


def test_keyed_cookies_make_keys() -> None:
    rules = CacheRules(cookies=CookieRules(key=("lang", "tz*")))
    keys = {
        cache_key(request(("Cookie", cookie)), rules)
        for cookie in ("lang=en", "lang=fr", "lang=en; tz=1", "lang=en; tz=1; x=2", "tz=1; lang=en", "x=2")
    }
    assert len(keys) == 4
    assert cache_key(request(), rules) == cache_key(request(("Cookie", "x=2")), rules)


def test_a_comma_hides_no_keyed_cookie() -> None:
    rules = CacheRules(cookies=CookieRules(key=("k", "l"), ignored=("a",)))
    cookies = ("a=1, k=ann", "a=1, k=bob", "a=1", "k=ann, a=1", "a=1,k=ann; l=1", "l=3; k=1, l=2", "k=1, l=2; l=3")
    assert len({cache_key(request(("Cookie", cookie)), rules) for cookie in cookies}) == len(cookies)
    assert cache_key(request(("Cookie", "a=1, b=2")), rules) == cache_key(request(), rules)


def test_a_field_in_the_key_tells_clients_apart() -> None:
    rules = CacheRules(key=KeyRules(headers=("cookie", "authorization")))
    assert withheld(Fields([COOKIE, AUTH]), rules) is None
    assert withheld(Fields([AUTH]), CacheRules(share_authorized=True)) is None


def test_names_of_cookies_on_several_lines() -> None:
    assert cookie_names(Fields([("Cookie", "a=1; b=2"), ("cookie", " c = 3;;d")])) == ["a", "b", "c", "d"]


def test_the_page_shows_the_table() -> None:
    text = GUARANTEES.read_text("utf-8")
    marks = list(PrivacySignal)
    assert f"| Fresh by | {' | '.join(mark.value for mark in marks)} |" in text
    for source, row in TABLE.items():
        assert f"| {source.value} | {' | '.join(row[mark].value for mark in marks)} |" in text
