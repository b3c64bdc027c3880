"""Age and freshness hold whatever the fields say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.exchanges import RULES, T
from tests.support.strategies import latin, response_fields, statuses
from veneer.core.dates import format_date, parse_date, year_of
from veneer.core.entry import Entry, Position
from veneer.core.fields import Fields
from veneer.core.freshness import freshness

moments = st.floats(-1e5, 1e5).map(lambda offset: T + offset)


def stored(status: int, fields: Fields, sent: float, received: float) -> Entry:
    return Entry(status, "", fields, b"", sent, received, "site/a", Position("e", 0))


@given(response_fields, moments, moments, moments, st.floats(0, 1e6))
def test_age_is_never_negative_and_grows_with_time(
    fields: Fields, sent: float, received: float, now: float, later: float
) -> None:
    entry = stored(200, fields, sent, received)
    age = freshness(entry, RULES, now).age_s
    assert age >= 0
    assert freshness(entry, RULES, now + later).age_s >= age


@given(statuses, response_fields, moments, st.floats(0, 1e6))
def test_what_is_stale_does_not_become_fresh_again(status: int, fields: Fields, now: float, later: float) -> None:
    entry = stored(status, fields, T, T)
    before, after = freshness(entry, RULES, now), freshness(entry, RULES, now + later)
    assert before.is_fresh or not after.is_fresh
    assert before.terms.lifetime_s == after.terms.lifetime_s >= 0
    assert after.ttl_s <= before.ttl_s


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_dates_are_read_as_they_are_written(seconds: int) -> None:
    text = format_date(seconds)
    assert parse_date(text, T) == seconds
    assert len(text) == 29
    assert text[12:16] == f"{year_of(seconds):04}"


@given(latin)
def test_any_text_is_a_date_or_none(text: str) -> None:
    found = parse_date(text, T)
    assert found is None or parse_date(format_date(found), T) == found
