"""The decision of RFC 9111 section 4."""

import pytest

from tests.support.exchanges import RULES, T, dated, entry_of, request
from veneer.core.entry import Entry
from veneer.core.fields import Pair
from veneer.core.invalidation import Validity
from veneer.core.messages import RequestHead
from veneer.core.outcome import Forward, Reason
from veneer.core.reuse import (
    Decision,
    Fallback,
    GatewayTimeout,
    Hit,
    Miss,
    PartialMiss,
    Revalidate,
    ServeStale,
    decide,
)
from veneer.core.rules import CacheRules

ETAG: Pair = ("ETag", '"x"')
NO_CACHE: Pair = ("Cache-Control", "no-cache")


def entry(cache_control: str, *fields: Pair, to: RequestHead | None = None, **more: float) -> Entry:
    return entry_of(dated(("Cache-Control", cache_control), ETAG, *fields), to, at=more.get("at", T))


def decided(
    to: RequestHead,
    *entries: Entry,
    at: float = 1,
    validity: Validity = Validity.VALID,
    rules: CacheRules = RULES,
) -> Decision:
    return decide(to, [(each, validity) for each in entries], rules, T + at)


def test_a_fresh_entry_is_a_hit_for_get_and_head() -> None:
    fresh = entry("max-age=10")
    assert decided(request(), fresh) == Hit(fresh, 1.0, 9.0)
    assert decided(request(method="HEAD"), fresh) == Hit(fresh, 1.0, 9.0)


def test_nothing_stored_is_a_miss() -> None:
    assert decided(request()) == Miss(Forward.URI_MISS)
    assert decided(request(), entry("max-age=10", to=request(query="b"))) == Miss(Forward.URI_MISS)
    assert decided(request(), entry("max-age=10"), validity=Validity.DEAD) == Miss(Forward.URI_MISS)


def test_other_variants_are_named_in_a_miss() -> None:
    other = entry("max-age=10", ("Vary", "Foo"), to=request(("Foo", "1")))
    assert decided(request(("Foo", "2")), other) == Miss(Forward.VARY_MISS, None, (other,))


def test_what_is_not_looked_up() -> None:
    fresh = entry("max-age=10")
    assert decided(request(method="PUT"), fresh) == Miss(Forward.METHOD, Reason.METHOD)
    assert decided(request(), fresh, rules=CacheRules(enabled=False)) == Miss(Forward.BYPASS, Reason.CACHE_OFF)
    for condition in (("If-Match", "*"), ("If-Unmodified-Since", "x")):
        assert decided(request(condition), fresh) == Miss(Forward.REQUEST, Reason.REQUEST_CONDITION)


def test_the_most_recent_of_several_matches_is_taken() -> None:
    old, new = entry("max-age=10"), entry("max-age=10", at=T + 1)
    assert decided(request(), new, old) == decided(request(), old, new) == Hit(new, 1.0, 9.0)


def test_an_expired_entry_is_validated_and_may_stand_in_for_a_dead_origin() -> None:
    stale = entry("max-age=10")
    assert decided(request(), stale, at=12) == Revalidate(
        stale, (), 12.0, -2.0, Forward.STALE, Reason.EXPIRED, Fallback(None, T + 10 + RULES.keep_stale_s), (stale,)
    )


def test_other_variants_are_offered_too() -> None:
    vary = ("Vary", "Foo")
    mine, other = entry("max-age=1", vary, to=request(("Foo", "1"))), entry("max-age=1", vary, to=request(("Foo", "2")))
    found = decided(request(("Foo", "1")), mine, other, at=5)
    assert isinstance(found, Revalidate)
    assert (found.entry, found.others) == (mine, (other,))


@pytest.mark.parametrize("directive", ["must-revalidate", "proxy-revalidate", "s-maxage=10"])
def test_what_forbids_stale_leaves_no_fallback(directive: str) -> None:
    strict = entry(f"max-age=10, stale-if-error=99, stale-while-revalidate=99, {directive}")
    found = decided(request(("Cache-Control", "max-stale")), strict, at=11)
    assert isinstance(found, Revalidate)
    assert found.fallback == Fallback(None, None)


def test_no_cache_is_validated_although_fresh() -> None:
    found = decided(request(), entry("no-cache, max-age=10"))
    assert isinstance(found, Revalidate)
    assert (found.forward, found.reason, found.fallback) == (Forward.STALE, Reason.NO_CACHE, Fallback(None, None))


def test_stale_while_revalidate_has_an_end() -> None:
    stale = entry("max-age=10, stale-while-revalidate=5")
    assert decided(request(), stale, at=14) == ServeStale(
        stale, 14.0, -4.0, Reason.STALE_WHILE_REVALIDATE, refresh=True, alike=(stale,)
    )
    assert isinstance(decided(request(), stale, at=15), Revalidate)


def test_stale_on_overload_is_as_stale_if_error_unless_the_route_says_more() -> None:
    cases: list[tuple[str, float | None, float | None]] = [
        ("max-age=10, stale-if-error=5", None, T + 15),
        ("max-age=10, stale-if-error=5", 60.0, T + 70),
        ("max-age=10, stale-if-error=5", 0.0, None),
        ("max-age=10", None, None),
        ("max-age=10", 60.0, T + 70),
        ("max-age=10, must-revalidate", 60.0, None),
    ]
    for directives, own_s, until in cases:
        found = decided(request(), entry(directives), at=12, rules=CacheRules(stale_on_overload_s=own_s))
        assert isinstance(found, Revalidate)
        assert found.fallback.on_overload_until == until


def test_stale_if_error_has_an_end_and_a_client_may_grant_it_too() -> None:
    found = decided(request(), entry("max-age=10, stale-if-error=5"), at=11)
    assert isinstance(found, Revalidate)
    assert found.fallback.on_error_until == T + 15
    asked = decided(request(("Cache-Control", "stale-if-error=9")), entry("max-age=10"), at=11)
    assert isinstance(asked, Revalidate)
    assert asked.fallback.on_error_until == T + 19


def test_disconnection_can_be_excluded() -> None:
    found = decided(request(), entry("max-age=10"), at=11, rules=CacheRules(stale_on_disconnect=False))
    assert isinstance(found, Revalidate)
    assert found.fallback == Fallback(None, None)


def test_a_soft_invalidated_entry_is_stale_even_if_young() -> None:
    plain = decided(request(), entry("max-age=10"), validity=Validity.SOFT)
    assert isinstance(plain, Revalidate)
    assert plain.reason is Reason.SOFT_INVALIDATED
    windowed = decided(request(), entry("max-age=10, stale-while-revalidate=5"), validity=Validity.SOFT)
    assert isinstance(windowed, ServeStale)
    assert windowed.refresh
    pleaded = decided(request(("Cache-Control", "max-stale")), entry("max-age=10"), validity=Validity.SOFT)
    assert isinstance(pleaded, Revalidate)


@pytest.mark.parametrize(
    ("directive", "at", "reason"),
    [
        ("no-cache", 1, Reason.REQUEST_NO_CACHE),
        ("max-age=0", 0, Reason.REQUEST_MAX_AGE),
        ("max-age=2", 3, Reason.REQUEST_MAX_AGE),
        ("min-fresh=8", 3, Reason.REQUEST_MIN_FRESH),
    ],
)
def test_the_client_may_ask_for_validation_unless_the_route_ignores_it(
    directive: str, at: float, reason: Reason
) -> None:
    fresh = entry("max-age=10")
    found = decided(request(("Cache-Control", directive)), fresh, at=at)
    assert isinstance(found, Revalidate)
    assert (found.forward, found.reason) == (Forward.REQUEST, reason)
    ignored = decided(
        request(("Cache-Control", directive)), fresh, at=at, rules=CacheRules(obey_request_no_cache=False)
    )
    assert isinstance(ignored, Hit)


@pytest.mark.parametrize("directive", ["max-age=4", "min-fresh=6", "no-store", "nonsense", "only-if-cached"])
def test_requests_that_a_young_entry_satisfies(directive: str) -> None:
    assert isinstance(decided(request(("Cache-Control", directive)), entry("max-age=10"), at=3), Hit)


def test_pragma_means_nothing() -> None:
    assert isinstance(decided(request(("Pragma", "no-cache")), entry("max-age=10")), Hit)


def test_no_cache_of_the_client_beats_stale_while_revalidate() -> None:
    stale = entry("max-age=10, stale-while-revalidate=5")
    assert isinstance(decided(request(NO_CACHE), stale, at=12), Revalidate)
    assert isinstance(decided(request(("Cache-Control", "max-age=11")), stale, at=12), Revalidate)


def test_max_stale_accepts_what_is_not_too_stale() -> None:
    stale = entry("max-age=10")
    found = decided(request(("Cache-Control", "max-stale=5")), stale, at=12)
    assert found == ServeStale(stale, 12.0, -2.0, Reason.REQUEST_MAX_STALE, refresh=False)
    assert isinstance(decided(request(("Cache-Control", "max-stale=1")), stale, at=12), Revalidate)
    assert isinstance(decided(request(("Cache-Control", "max-stale=5, max-age=1")), stale, at=12), Revalidate)


def test_only_if_cached_never_asks_the_origin() -> None:
    only = request(("Cache-Control", "only-if-cached"))
    timeout = GatewayTimeout(Reason.ONLY_IF_CACHED)
    assert decided(only) == timeout
    assert decided(only, entry("max-age=10"), at=20) == timeout
    assert decided(only, entry("no-cache")) == timeout
    put = request(("Cache-Control", "only-if-cached"), method="PUT")
    assert decided(put) == Miss(Forward.METHOD, Reason.METHOD)


# ---------------------------------------------------------------- parts


def part(content_range: str, asked: str, body: bytes, *fields: Pair) -> Entry:
    head = dated(("Cache-Control", "max-age=10"), ("Content-Range", content_range), *fields, status=206)
    return entry_of(head, request(("Range", asked)), body=body)


def test_a_stored_part_answers_what_lies_in_it() -> None:
    held = part("bytes 4-9/10", "bytes=4-", b"456789")
    assert isinstance(decided(request(("Range", "bytes=5-6")), held), Hit)
    assert decided(request(("Range", "bytes=3-6")), held) == Miss(Forward.PARTIAL, alike=(held,))
    assert decided(request(), held) == Miss(Forward.PARTIAL, alike=(held,))


def test_a_stored_beginning_is_completed_while_fresh() -> None:
    held = part("bytes 0-4/10", "bytes=0-4", b"01234")
    assert decided(request(), held) == PartialMiss(held, "bytes=5-", 1.0, (held,))
    assert decided(request(), held, at=11) == Miss(Forward.PARTIAL, alike=(held,))
    assert decided(request(), held, validity=Validity.SOFT) == Miss(Forward.PARTIAL, alike=(held,))
    assert decided(request(method="HEAD"), held) == Miss(Forward.PARTIAL, alike=(held,))
    only = request(("Cache-Control", "only-if-cached"))
    assert decided(only, held) == GatewayTimeout(Reason.ONLY_IF_CACHED)


def test_a_complete_entry_is_preferred_to_parts() -> None:
    held, whole = part("bytes 0-4/10", "bytes=0-4", b"01234"), entry("max-age=10")
    assert decided(request(("Range", "bytes=8-")), held, whole) == Hit(whole, 1.0, 9.0)
