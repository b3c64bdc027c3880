"""Cache-Status: RFC 9211."""

import http_sf
import pytest

from veneer.core.fields import Fields
from veneer.core.outcome import CacheStatus, Forward, Reason, cache_status_line


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (CacheStatus(hit=True, ttl_s=9.7), "Veneer; hit; ttl=9"),
        (CacheStatus(hit=True, ttl_s=-0.5), "Veneer; hit; ttl=-1"),
        (
            CacheStatus(
                forward=Forward.STALE,
                forward_status=304,
                stored=True,
                collapsed=True,
                key='a"b\\\xe4',
                detail="expired",
            ),
            'Veneer; fwd=stale; fwd-status=304; stored; collapsed; key="a\\"b\\\\?"; detail=expired',
        ),
        (CacheStatus(forward=Forward.MISS, detail="two words"), 'Veneer; fwd=miss; detail="two words"'),
        (CacheStatus(), "Veneer"),
    ],
)
def test_texts(status: CacheStatus, text: str) -> None:
    assert cache_status_line(Fields(), "Veneer", status) == ("Cache-Status", text)
    http_sf.parse(text.encode(), tltype="list")


def test_it_comes_after_the_caches_nearer_to_the_origin() -> None:
    hit = CacheStatus(hit=True)
    assert cache_status_line(Fields(), "Veneer", hit) == ("Cache-Status", "Veneer; hit")
    before = Fields([("cache-status", "A; hit"), ("Cache-Status", "B; fwd=miss")])
    assert cache_status_line(before, "Veneer", hit) == ("Cache-Status", "A; hit, B; fwd=miss, Veneer; hit")


def test_reasons_are_distinct_words() -> None:
    words = [reason.value for reason in Reason]
    assert len(set(words)) == len(words)
    for word in words:
        http_sf.parse(f"V; detail={word}".encode(), tltype="list")
