"""Lifetime, age and stale windows: RFC 9111 section 4.2, RFC 5861."""

import pytest

from tests.support.exchanges import DATE, RULES, T, dated, entry_of
from veneer.core.dates import format_date
from veneer.core.fields import Fields, Pair
from veneer.core.freshness import age_value, freshness, initial_age, lifetime
from veneer.core.rules import CacheRules, OriginRule
from veneer.core.sharing import Source

LATER: Pair = ("Expires", format_date(T + 30))
OLD: Pair = ("Last-Modified", format_date(T - 1000))


@pytest.mark.parametrize(
    ("fields", "seconds", "source"),
    [
        ([("Cache-Control", "max-age=5, s-maxage=9"), LATER], 9, Source.EXPLICIT),
        ([("Cache-Control", "max-age=5"), LATER], 5, Source.EXPLICIT),
        ([LATER], 30, Source.EXPLICIT),
        ([("Expires", "0"), OLD], 0, Source.EXPLICIT),
        ([LATER, LATER], 0, Source.EXPLICIT),
        ([("Expires", format_date(T - 30))], 0, Source.EXPLICIT),
        ([("CDN-Cache-Control", "max-age=7"), ("Cache-Control", "no-store"), LATER], 7, Source.EXPLICIT),
        ([("CDN-Cache-Control", "public"), LATER], 0, Source.NONE),
        ([OLD], 100, Source.HEURISTIC),
        ([("Last-Modified", "yesterday")], 0, Source.NONE),
        ([], 0, Source.NONE),
    ],
)
def test_lifetime(fields: list[Pair], seconds: float, source: Source) -> None:
    found = lifetime(200, Fields([DATE, *fields]), T, RULES)
    assert (found.seconds, found.source) == (seconds, source)


def test_expires_counts_from_the_message_s_own_date() -> None:
    fields = Fields([("Date", format_date(T - 100)), LATER])
    assert lifetime(200, fields, T, RULES).seconds == 130
    assert lifetime(200, Fields([("Date", "foo"), LATER]), T, RULES).seconds == 30


@pytest.mark.parametrize(
    ("status", "public", "heuristic"), [(404, False, True), (302, False, False), (599, True, True)]
)
def test_heuristics_need_a_status_that_allows_them_or_public(status: int, public: bool, heuristic: bool) -> None:
    extra = [("Cache-Control", "public")] if public else []
    found = lifetime(status, Fields([DATE, OLD, *extra]), T, RULES)
    assert (found.source is Source.HEURISTIC) == heuristic


def test_heuristics_are_bounded() -> None:
    fields = Fields([DATE, ("Last-Modified", format_date(0))])
    assert lifetime(200, fields, T, RULES).seconds == RULES.heuristic_max_s


def test_a_route_s_ttl_fills_in_or_overrides() -> None:
    explicit, silent = Fields([DATE, ("Cache-Control", "max-age=5")]), Fields([DATE, OLD])
    respect, override = CacheRules(ttl_s=60), CacheRules(ttl_s=60, origin=OriginRule.OVERRIDE)
    assert lifetime(200, explicit, T, respect).seconds == 5
    assert lifetime(200, silent, T, respect).source is Source.POLICY
    assert lifetime(200, explicit, T, override).seconds == 60
    assert lifetime(500, explicit, T, override).seconds == 5
    assert lifetime(404, silent, T, respect).source is Source.HEURISTIC


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("5", 5), ("5, 7", 5), ("0, 7", 0), ("abc", 0), ("-5", 0), ("7.0", 0), ("5;a=b", 0), ("", 0), ("9" * 30, 2**31)],
)
def test_age_field_is_its_first_member_or_ignored(value: str, seconds: int) -> None:
    assert age_value(Fields([("Age", value)])) == seconds


def test_age_adds_delay_residence_and_the_greater_of_date_and_age() -> None:
    old = Fields([("Date", format_date(T - 50)), ("Age", "20")])
    assert initial_age(old, T - 3, T) == 50
    assert initial_age(Fields([DATE, ("Age", "20")]), T - 3, T) == 23
    assert initial_age(Fields([("Date", format_date(T + 50))]), T, T) == 0
    entry = entry_of(dated(("Cache-Control", "max-age=5"), ("Age", "2")))
    assert freshness(entry, RULES, T + 1.5).age_s == 3.5
    assert freshness(entry, RULES, T - 99).age_s == 2


def test_freshness_ends_when_the_age_reaches_the_lifetime() -> None:
    entry = entry_of(dated(("Cache-Control", "max-age=5")))
    assert freshness(entry, RULES, T + 4.9).is_fresh
    at_the_end = freshness(entry, RULES, T + 5)
    assert not at_the_end.is_fresh
    assert at_the_end.ttl_s == 0
    assert freshness(entry, RULES, T + 8).staleness_s == 3


@pytest.mark.parametrize("directive", ["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=5"])
def test_what_forbids_stale_closes_every_window(directive: str) -> None:
    text = f"max-age=5, stale-while-revalidate=9, stale-if-error=9, {directive}"
    state = freshness(entry_of(dated(("Cache-Control", text), ("ETag", '"x"'))), RULES, T)
    assert state.terms.forbids_stale
    assert (state.terms.stale_while_revalidate_s, state.terms.stale_if_error_s, state.terms.may_serve_disconnected) == (
        0,
        0,
        False,
    )


def test_windows_come_from_the_origin_else_from_the_route() -> None:
    rules = CacheRules(stale_while_revalidate_s=3, stale_if_error_s=4)
    silent = entry_of(dated(("Cache-Control", "max-age=5")))
    spoken = entry_of(dated(("Cache-Control", "max-age=5, stale-while-revalidate=1, stale-if-error=2")))
    for entry, used, expected in (
        (silent, rules, (3, 4)),
        (spoken, rules, (1, 2)),
        (silent, RULES, (0, 0)),
        (spoken, CacheRules(stale_while_revalidate_s=3, origin=OriginRule.OVERRIDE), (3, 2)),
    ):
        state = freshness(entry, used, T)
        assert (state.terms.stale_while_revalidate_s, state.terms.stale_if_error_s) == expected


def test_override_beats_no_cache_but_not_must_revalidate() -> None:
    rules = CacheRules(ttl_s=60, origin=OriginRule.OVERRIDE)
    plain = freshness(entry_of(dated(("Cache-Control", "no-cache")), rules=rules), rules, T)
    assert (plain.terms.must_validate, plain.terms.forbids_stale) == (False, False)
    strict = freshness(entry_of(dated(("Cache-Control", "no-cache, must-revalidate")), rules=rules), rules, T)
    assert (strict.terms.must_validate, strict.terms.forbids_stale) == (False, True)
